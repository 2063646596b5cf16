/**
 * Every refusal the domain knows: a stable slug of ours and the public text that goes with it.
 * `transport/error-mapping.ts` alone decides which code and wire id a slug becomes. A text that is a bare key
 * (`Errors.User.NotActive`) is one existing clients compare literally.
 */
const messages = {
  "auth.header_missing": "auth header missing",
  "auth.header_invalid": "invalid auth header",
  "auth.token_invalid": "Errors.Token.Invalid",
  "auth.organization_unknown": "Organisation doesn't exist",
  "auth.permission_denied": "No matching permissions found",
  "auth.method_permission_denied": "No matching permissions found",
  "auth.session_not_found": "session does not exist",
  "auth.session_token_stale": "Errors.PermissionDenied",
  "auth.session_expired": "session expired",
  "auth.authentication_required": "authentication required",
  "auth.mfa_required": "mfa required",

  "session.not_found": "session does not exist",
  "session.terminated": "session has ended",
  "session.expired": "session has expired",
  "session.read_token_invalid": "permission denied",
  "session.token_invalid": "session token is invalid",
  "session.token_required": "the session's current token is required",
  "session.lifetime_not_positive": "lifetime must be positive",
  "session.user_change": "user change not possible",
  "session.user_not_found": "user could not be found",
  "session.user_not_active": "Errors.User.NotActive",
  "session.password_without_user": "user id is missing",
  "session.password_user_not_found": "user could not be found",
  "session.password_user_locked": "user is locked",
  "session.password_not_set": "user has no password",
  "session.password_invalid": "password is invalid",
  "session.intent_without_user": "user id is missing",
  "session.intent_token_empty": "intent token is invalid",
  "session.intent_token_malformed": "intent token is invalid",
  "session.intent_token_forged": "intent token is invalid",
  "session.intent_token_other": "intent token is invalid",
  "session.intent_not_succeeded": "intent has not succeeded",
  "session.intent_expired": "intent has expired",
  "session.intent_other_user": "intent belongs to another user",
  "session.web_auth_n_no_challenge": "session has no WebAuthn challenge",
  "session.web_auth_n_expired": "WebAuthn challenge has expired",
  "session.web_auth_n_without_user": "user id is missing",
  "session.web_auth_n_user_not_found": "user could not be found",
  "session.web_auth_n_malformed": "WebAuthn assertion is malformed",
  "session.web_auth_n_invalid": "WebAuthn assertion is invalid",
  "session.web_auth_n_credential_unknown": "WebAuthn credential is not one of the user's",
  "session.web_auth_n_cloned": "the authenticator's counter did not move on, it may have been cloned",
  "session.web_auth_n_begin_failed": "user has no WebAuthn credential for this domain",
  "session.web_auth_n_domain_invalid": "domain is no relying party id",
  "session.totp_without_user": "user id is missing",
  "session.totp_not_ready": "OTP is not ready",
  "session.totp_locked": "user is locked",
  "session.totp_invalid": "code is invalid",
  "session.otp_without_user": "user id is missing",
  "session.otp_code_empty": "code is empty",
  "session.otp_not_ready": "OTP is not ready",
  "session.otp_no_challenge": "there is no open code",
  "session.otp_locked": "user is locked",
  "session.otp_expired": "code has expired",
  "session.otp_invalid": "code is invalid",
  "session.recovery_code_empty": "recovery code is empty",
  "session.recovery_code_without_user": "user id is missing",
  "session.recovery_code_locked": "user is locked",
  "session.recovery_code_not_ready": "recovery codes are not ready",
  "session.recovery_code_invalid": "recovery code is invalid",
  "session.otp_sms_challenge_without_user": "user id is missing",
  "session.otp_sms_challenge_not_ready": "OTP is not ready",
  "session.otp_email_challenge_without_user": "user id is missing",
  "session.otp_email_challenge_not_ready": "OTP is not ready",
  "session.otp_sms_sent_no_challenge": "there is no open code",
  "session.otp_email_sent_no_challenge": "there is no open code",
  "session.creator_query_invalid": "List.Query.Invalid",
  "session.user_agent_query_invalid": "List.Query.Invalid",
  "session.query_empty": "List.Query.Invalid",
  "session.query_method_invalid": "List.Query.InvalidComparisonMethod",
  "session.metadata_too_large": "metadata exceeds 64 keys or 64 KiB in a value",
  "session.user_agent_too_large": "the user agent exceeds 64 headers or 16 KiB",

  "list.limit_exceeded": "the limit is above 1000",
  "list.query_too_large": "a list takes at most 1000 conditions",

  "user.idp_link_exists": "the account is linked to a user already",
  "user.not_found": "user could not be found",
  "user.id_exists": "user already exists",
  "user.name_exists": "user already exists",
  "user.email_empty": "e-mail address is empty",
  "user.email_invalid": "e-mail address is invalid",
  "user.phone_invalid": "phone number is invalid",
  "user.given_name_empty": "given name is empty",
  "user.family_name_empty": "family name is empty",
  "user.username_empty": "user name is empty",
  "user.machine_name_empty": "name is empty",
  "user.hash_unsupported": "password hash is of an unsupported kind",
  "user.hash_out_of_bounds": "password hash has parameters out of bounds",
  "user.hash_malformed": "password hash is malformed",
  "user.feature_unimplemented": "this part of the request is not available yet",
  "user.type_mismatch": "user is of another type",
  "user.metadata_too_large": "metadata exceeds 64 keys or 1 MiB in all",
  "user.query_too_deep": "queries may be nested at most 20 levels deep",
  "user.query_empty": "List.Query.Invalid",
  "user.lock_not_found": "user could not be found",
  "user.lock_not_active": "user should be active or initial",
  "user.unlock_not_found": "user could not be found",
  "user.unlock_not_locked": "user is not locked",
  "user.deactivate_not_found": "user could not be found",
  "user.deactivate_already": "user is already inactive",
  "user.reactivate_not_found": "user could not be found",
  "user.reactivate_not_inactive": "user is not inactive",
  "user.delete_not_found": "user could not be found",
  "user.password_user_not_found": "user could not be found",
  "user.password_invalid": "password is invalid",
  "user.password_locked": "user is locked",
  "user.password_not_set": "user has no password",
  "user.password_code_missing": "there is no open code",
  "user.password_missing": "new password is missing",
  "user.password_unchanged": "new password equals the old one",
  "user.password_too_short": "password is too short",
  "user.password_lower_missing": "password needs a lower case letter",
  "user.password_upper_missing": "password needs an upper case letter",
  "user.password_number_missing": "password needs a number",
  "user.password_symbol_missing": "password needs a symbol",
  "user.pat_user_not_found": "user could not be found",
  "user.pat_not_machine": "only machine users have personal access tokens",
  "user.pat_expired": "expiration date is in the past",
  "user.pat_not_found": "token could not be found",

  "organization.exists": "organization already exists",
  "organization.not_found": "organization could not be found",
  "organization.name_empty": "name is empty",
  "organization.id_reserved": "this organization id is reserved",
  "organization.role_unknown": "role does not exist",
  "organization.query_empty": "List.Query.Invalid",

  "administrator.resource_unsupported": "administrators exist on the instance and on organizations only",
  "administrator.instance_roles_missing": "user or roles are missing",
  "administrator.instance_role_unknown": "role does not exist",
  "administrator.instance_user_not_found": "user could not be found",
  "administrator.instance_exists": "user is an administrator already",
  "administrator.instance_not_found": "administrator could not be found",
  "administrator.organization_roles_missing": "user or roles are missing",
  "administrator.organization_role_unknown": "role does not exist",
  "administrator.organization_user_not_found": "user could not be found",
  "administrator.organization_exists": "user is an administrator already",
  "administrator.organization_not_found": "administrator could not be found",
  "administrator.query_too_deep": "filters may be nested at most 20 levels deep",
  "administrator.query_empty": "List.Query.Invalid",

  "notification.url_template_malformed": "the URL template is invalid",
  "notification.url_template_variable_unknown": "the URL template is invalid",

  "storage.unavailable": "the database is unavailable",
  "storage.conflict": "too many concurrent changes, try again",
  "storage.locked": "the data directory is in use by another process",
  "storage.newer_schema": "the database was migrated by a newer version",
} as const;

export type ErrorSlug = keyof typeof messages;

export type DomainErrorOptions = {
  /** Replaces the slug's text; still public. */
  message?: string;
  /** For the log only; never leaves the process. */
  cause?: unknown;
  /** Failed attempts so far, this one included; password checks carry it to the client. */
  failedAttempts?: number;
  /** Wrong answers of one factor in a row, this one included: the more, the longer the answer is held back. */
  consecutiveFailures?: number;
};

/** A refusal with a public text. `cause` is for the log; the message is for the caller. */
export class DomainError extends Error {
  readonly slug: ErrorSlug;
  readonly failedAttempts: number | undefined;
  readonly consecutiveFailures: number;

  constructor(slug: ErrorSlug, options: DomainErrorOptions = {}) {
    super(options.message ?? messages[slug], { cause: options.cause });
    this.name = "DomainError";
    this.slug = slug;
    this.failedAttempts = options.failedAttempts;
    this.consecutiveFailures = options.consecutiveFailures ?? 0;
  }
}
