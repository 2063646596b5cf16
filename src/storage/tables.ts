import type { Generated } from "kysely";
import type { AggregateType } from "./aggregate.ts";
import type { Concurrency, InstanceSettings } from "./instance-settings.ts";
import type { RowTable } from "./row-table.ts";
import { NOW } from "./row-values.ts";
import type { SessionFilter } from "./session-filter.ts";

/**
 * One row type per table, in the domain's shape: camelCase, `Date`, plain JSON. The rows of `sessions`, `users`,
 * `organizations` and `instances` are the folded states of their aggregates, field by field.
 */
export type Database = {
  events: EventRow;
  sessions: SessionRow & StoredSessionColumns;
  userEndings: UserEndingRow;
  endings: EndingRow;
  users: UserRow;
  personalAccessTokens: PersonalAccessTokenRow;
  machineKeys: MachineKeyRow;
  idpLinks: IdpLinkRow;
  identityProviders: IdentityProviderRow;
  idpIntents: IdpIntentRow;
  notifications: NotificationRow;
  organizations: OrganizationRow;
  instances: InstanceRow;
  memberships: MembershipRow;
};

export type EventRow = {
  aggregateType: AggregateType;
  aggregateId: string;
  sequence: number;
  eventType: string;
  payload: object;
  actorId: string;
  createdAt: Date;
  /** With `position` the order of the feed: `(tx, position)`, never `position` alone. */
  tx: Generated<string>;
  position: Generated<number>;
};

/** When a factor was last proven; ISO 8601 text, the application's clock. */
export type FactorCheck = { checkedAt: string };

export type SessionFactors = {
  user?: FactorCheck & { preferredLanguage?: string };
  /** `epoch`: the user's password epoch at the check. A later password ends the factor. */
  password?: FactorCheck & { epoch: number };
  /** `idpId`: the provider that vouched; sessions from before it was noted have none. */
  intent?: FactorCheck & { idpId?: string };
  /** `credentialId`: ours, of the user's credential; sessions from before it was noted have none. */
  webAuthN?: FactorCheck & { userVerified: boolean; credentialId?: string };
  totp?: FactorCheck;
  otpSms?: FactorCheck;
  otpEmail?: FactorCheck;
  recoveryCode?: FactorCheck;
};

export type UserVerification = "required" | "preferred" | "discouraged";

/** What a session waits for an answer to; a new challenge of a kind replaces the open one. `expiresAt`: ISO 8601. */
export type SessionChallenges = {
  webAuthN?: {
    /** Base64url. */
    challenge: string;
    /** Base64url. */
    allowedCredentialIds: string[];
    userVerification: UserVerification;
    rpId: string;
    expiresAt: string;
  };
  otpSms?: OtpChallenge;
  otpEmail?: OwnOtpChallenge;
};

export type OtpChallenge = OwnOtpChallenge | GeneratedOtpChallenge;

/** `code`: encrypted, standard base64. */
export type OwnOtpChallenge = { code: string; expiresAt: string };

/** A provider of text messages makes the code and checks it. */
export type GeneratedOtpChallenge = {
  code: null;
  expiresAt: string;
  /** The provider. */
  generatorId: string;
  /** Another one for each challenge. */
  challengeId: string;
  /** What the provider is to be asked about, once it has sent a code. */
  verificationId?: string;
};

export type SessionUserAgent = {
  ip?: string;
  description?: string;
  header?: Record<string, string[]>;
};

/** Why a session ended. A session ends once: of several reasons it is the first that counts. */
export type EndReason =
  | "terminated"
  | "expired"
  | "user_locked"
  | "user_deactivated"
  | "user_deleted"
  | "password_changed"
  | "factor_removed"
  | "ended_by_filter"
  | "replaced"
  | "organization_removed";

/** What entitled who terminated a session: it was their own, they had its token, or the permission. */
export type Entitlement = "own" | "token" | "permission";

/** How a session ended; when is in a column of its own. */
export type SessionEnding = {
  reason: EndReason;
  /** Who ended it; null: time did. */
  actorId: string | null;
  entitlement?: Entitlement;
  /** The bulk ending that reached it. */
  operationId?: string;
};

export type SessionRow = {
  id: string;
  sequence: number;
  /** As written down; `standing` says how it stands. `expired` is shown still, `terminated` is gone from view. */
  status: "none" | "active" | "expired" | "terminated";
  creatorId: string;
  userId: string | null;
  userOrganizationId: string | null;
  /** The user's session epoch when the user was checked: once the user's is higher, the session is over. */
  userEpoch: number | null;
  factors: SessionFactors;
  challenges: SessionChallenges;
  /** Key to standard base64. */
  metadata: Record<string, string>;
  fingerprintId: string | null;
  userAgent: SessionUserAgent | null;
  /** SHA-256 of the current token id, base64url. */
  tokenDigest: string | null;
  /** When its lifetime is over. */
  lifetimeEndsAt: Date | null;
  /** Milliseconds; null: it may go unused. */
  idleLifetime: number | null;
  /** When it will have gone unused for too long; moves on in steps. */
  idleEndsAt: Date | null;
  /** The earlier of the two ends. The database computes it: which is earlier is not known before the append. */
  expiresAt: Date | null;
  /** In steps; a session without idle lifetime counts as used when it is changed. */
  lastUsedAt: Date;
  ending: SessionEnding | null;
  endedAt: Date | null;
  /** Running bulk endings that were found not to reach it when it last changed. */
  spared: string[] | null;
  createdAt: Date;
  changedAt: Date;
};

export const sessionTable: RowTable = {
  name: "sessions",
  keyColumns: 1,
  computed: ["expires_at"],
  // Past its lifetime it can only be ended, whatever was decided before; the append's own time says so.
  frozen: { when: `r.expires_at < ${NOW}`, exempt: ({ status }) => status !== "active" },
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["creator_id", "text"],
    ["user_id", "text"],
    ["user_organization_id", "text"],
    ["user_epoch", "bigint"],
    ["factors", "jsonb"],
    ["challenges", "jsonb"],
    ["metadata", "jsonb"],
    ["fingerprint_id", "text"],
    ["user_agent", "jsonb"],
    ["token_digest", "text"],
    ["lifetime_ends_at", "time"],
    ["idle_lifetime", "bigint"],
    ["idle_ends_at", "time"],
    ["last_used_at", "time"],
    ["ending", "jsonb"],
    ["ended_at", "time"],
    ["spared", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

/** An act on a user that ended the sessions begun at an epoch. Rows for good: a session's reason is looked up here. */
export type UserEndingRow = {
  userId: string;
  /** The user's session epoch before the act: the sessions with it are the ones that ended. */
  epoch: number;
  reason: EndReason;
  actorId: string;
  endedAt: Date;
  /** Of the event in the user's stream. */
  sequence: number;
  /** Whether all of those sessions have their event: kept by the background, not by the log. */
  isDone: Generated<boolean>;
  /** Whether a removed user's data has left the log: likewise. */
  isErased: Generated<boolean>;
};

export const userEndingTable: RowTable = {
  name: "user_endings",
  keyColumns: 2,
  columns: [
    ["user_id", "text"],
    ["epoch", "bigint"],
    ["reason", "text"],
    ["actor_id", "text"],
    ["ended_at", "time"],
    ["sequence", "bigint"],
  ],
};

/** A bulk ending: a rule over the sessions that were active when it began, until each of them has its event. */
export type EndingRow = {
  id: string;
  sequence: number;
  status: "none" | "running" | "done";
  filter: SessionFilter;
  actorId: string;
  /** Sessions ended so far. */
  ended: number;
  /** When it began, and its sessions ended. */
  createdAt: Date;
  changedAt: Date;
};

export const endingTable: RowTable = {
  name: "endings",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["filter", "jsonb"],
    ["actor_id", "text"],
    ["ended", "bigint"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

/** What the background keeps of a session beside its folded state. */
export type StoredSessionColumns = {
  /** Its events are one. */
  isFolded: Generated<boolean>;
};

export type UserStatus = "none" | "active" | "inactive" | "locked" | "removed";

/** An encrypted code that proves an e-mail address or a phone number. `failedAttempts`: wrong guesses so far. */
export type VerificationCode = { encrypted: string; expiresAt: string; failedAttempts?: number };

/** An authenticator app. */
export type Totp = {
  /** Base32 text, encrypted, standard base64. */
  secret: string;
  ready: boolean;
  /** The newest time step a code was accepted of: each step counts once (RFC 6238 §5.2). */
  lastStep: number | null;
};

/** A public key credential (WebAuthn): a passkey, or a second factor. Binary values are base64url. */
export type WebAuthNCredential = {
  /** Ours; the authenticator's is `credentialId`. */
  id: string;
  kind: "passkey" | "u2f";
  rpId: string;
  /** Pending: waits for the attestation to this challenge until then (ISO 8601). */
  pending: {
    challenge: string;
    expiresAt: string;
    /** The caller who asked for it, `byCode`: as the holder of a registration code. */
    registeredBy: string;
    byCode?: true;
  } | null;
  name: string;
  credentialId: string;
  /** COSE key. */
  publicKey: string;
  aaguid: string;
  signCount: number;
  transports: string[];
  backupEligible: boolean;
  backedUp: boolean;
};

/** An invitation to register a passkey. */
export type PasskeyCode = VerificationCode & { id: string; failedAttempts: number };

/** An account at an identity provider that signs in as this user. */
export type IdpLink = { idpId: string; externalUserId: string; displayName: string };

/** Wrong answers in a row, by factor; the password's are counted in a column of its own. */
export type FailedAttempts = {
  totp?: number;
  otpSms?: number;
  otpEmail?: number;
  recoveryCode?: number;
};

export type UserRow = {
  id: string;
  sequence: number;
  status: UserStatus;
  type: "human" | "machine";
  organizationId: string;
  username: string;
  /** What must be unique on the instance: the user name in lower case, null once the user is removed. */
  usernameKey: string | null;
  givenName: string | null;
  familyName: string | null;
  nickName: string | null;
  displayName: string | null;
  preferredLanguage: string | null;
  /** Number of `zitadel.user.v2.Gender`. */
  gender: number | null;
  email: string | null;
  emailVerified: boolean;
  /** The address last verified, which may be an older one: where codes go. */
  verifiedEmail: string | null;
  emailCode: VerificationCode | null;
  phone: string | null;
  phoneVerified: boolean;
  /** The number last verified, which may be an older one: where codes go. */
  verifiedPhone: string | null;
  phoneCode: VerificationCode | null;
  machineName: string | null;
  machineDescription: string | null;
  /** Number of `zitadel.user.v2.AccessTokenType`. */
  accessTokenType: number | null;
  /** PHC or modular crypt text. */
  passwordHash: string | null;
  passwordChangeRequired: boolean;
  passwordChangedAt: Date | null;
  /** Wrong passwords in a row. */
  passwordFailedAttempts: number;
  /** Grows with every new password; a rehash of the same one does not count. */
  passwordEpoch: number;
  /** The open password reset. */
  passwordCode: VerificationCode | null;
  totp: Totp | null;
  otpSms: boolean;
  otpEmail: boolean;
  webAuthN: WebAuthNCredential[];
  passkeyCodes: PasskeyCode[];
  /** Digests of the codes that are left; null: none were ever generated, or they were removed. */
  recoveryCodes: string[] | null;
  idpLinks: IdpLink[];
  failedAttempts: FailedAttempts;
  /** Digest of a service account's client secret, and the id its access tokens are bound to. */
  clientSecret: { id: string; digest: string } | null;
  /** Grows whenever the user's sessions end: lock, deactivation, removal, a new password, a factor taken away. */
  sessionEpoch: number;
  /** Key to standard base64. */
  metadata: Record<string, string>;
  createdAt: Date;
  changedAt: Date;
};

export const userTable: RowTable = {
  name: "users",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["type", "text"],
    ["organization_id", "text"],
    ["username", "text"],
    ["username_key", "text"],
    ["given_name", "text"],
    ["family_name", "text"],
    ["nick_name", "text"],
    ["display_name", "text"],
    ["preferred_language", "text"],
    ["gender", "bigint"],
    ["email", "text"],
    ["email_verified", "boolean"],
    ["verified_email", "text"],
    ["email_code", "jsonb"],
    ["phone", "text"],
    ["phone_verified", "boolean"],
    ["verified_phone", "text"],
    ["phone_code", "jsonb"],
    ["machine_name", "text"],
    ["machine_description", "text"],
    ["access_token_type", "bigint"],
    ["password_hash", "text"],
    ["password_change_required", "boolean"],
    ["password_changed_at", "time"],
    ["password_failed_attempts", "bigint"],
    ["password_epoch", "bigint"],
    ["password_code", "jsonb"],
    ["totp", "jsonb"],
    ["otp_sms", "boolean"],
    ["otp_email", "boolean"],
    ["web_auth_n", "jsonb"],
    ["passkey_codes", "jsonb"],
    ["recovery_codes", "jsonb"],
    ["idp_links", "jsonb"],
    ["failed_attempts", "jsonb"],
    ["client_secret", "jsonb"],
    ["session_epoch", "bigint"],
    ["metadata", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type PersonalAccessTokenRow = {
  id: string;
  /** SHA-256 of the token text, base64url. */
  digest: string;
  userId: string;
  organizationId: string;
  /** Null: never expires. */
  expiresAt: Date | null;
  createdAt: Date;
};

export const personalAccessTokenTable: RowTable = {
  name: "personal_access_tokens",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["digest", "text"],
    ["user_id", "text"],
    ["organization_id", "text"],
    ["expires_at", "time"],
    ["created_at", "time"],
  ],
};

/** A public key a service account signs its assertions for the token endpoint with. */
export type MachineKeyRow = {
  id: string;
  userId: string;
  organizationId: string;
  /** PEM, SubjectPublicKeyInfo. */
  publicKey: string;
  /** Null: never expires. */
  expiresAt: Date | null;
  createdAt: Date;
};

export const machineKeyTable: RowTable = {
  name: "machine_keys",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["user_id", "text"],
    ["organization_id", "text"],
    ["public_key", "text"],
    ["expires_at", "time"],
    ["created_at", "time"],
  ],
};

/** What must be unique of the users' links: one account at a provider signs in as one user. */
export type IdpLinkRow = { userId: string; idpId: string; externalUserId: string; displayName: string };

export const idpLinkTable: RowTable = {
  name: "idp_links",
  keyColumns: 3,
  columns: [
    ["user_id", "text"],
    ["idp_id", "text"],
    ["external_user_id", "text"],
    ["display_name", "text"],
  ],
};

export type IdentityProviderRow = {
  id: string;
  sequence: number;
  status: "none" | "active" | "inactive" | "removed";
  /** Whose provider it is; null: the instance's. */
  organizationId: string | null;
  type: "oidc" | "oauth" | "google" | "github" | "gitlab" | "azure_ad" | "apple";
  name: string;
  /** Endpoints, client id, scopes: what the type needs; no secret. */
  config: Record<string, unknown>;
  /** Encrypted, standard base64. */
  secret: string | null;
  options: IdpOptions;
  createdAt: Date;
  changedAt: Date;
};

/** What login pages may do with a provider's accounts. `autoLinking`: number of `AutoLinkingOption`. */
export type IdpOptions = {
  isLinkingAllowed: boolean;
  isCreationAllowed: boolean;
  isAutoCreation: boolean;
  isAutoUpdate: boolean;
  autoLinking: number;
};

export const identityProviderTable: RowTable = {
  name: "identity_providers",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["organization_id", "text"],
    ["type", "text"],
    ["name", "text"],
    ["config", "jsonb"],
    ["secret", "text"],
    ["options", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

/** One walk to an identity provider and back. */
export type IdpIntentRow = {
  id: string;
  sequence: number;
  status: "none" | "started" | "succeeded" | "failed" | "consumed";
  idpId: string;
  successUrl: string;
  failureUrl: string;
  /** PKCE verifier and nonce, encrypted as one JSON text, standard base64. */
  secrets: string | null;
  idpUserId: string | null;
  idpUserName: string | null;
  /** The user the account was linked to when it came back. */
  userId: string | null;
  /** What the provider said about the account, and that in our words. */
  idpUser: Record<string, unknown> | null;
  /** The provider's tokens, encrypted as one JSON text, standard base64. */
  tokens: string | null;
  reason: string | null;
  /** Until when it may come back, or once it has, be used. */
  expiresAt: Date | null;
  createdAt: Date;
  changedAt: Date;
};

export const idpIntentTable: RowTable = {
  name: "idp_intents",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["idp_id", "text"],
    ["success_url", "text"],
    ["failure_url", "text"],
    ["secrets", "text"],
    ["idp_user_id", "text"],
    ["idp_user_name", "text"],
    ["user_id", "text"],
    ["idp_user", "jsonb"],
    ["tokens", "text"],
    ["reason", "text"],
    ["expires_at", "time"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

/** A message on its way out of the house. */
export type NotificationRow = {
  id: string;
  sequence: number;
  status: "none" | "pending" | "sent" | "failed" | "dropped";
  channel: "email" | "sms";
  kind: string;
  /** What it is about, `session/<id>/otp_sms`: a newer message on the same subject makes this one moot. */
  subject: string;
  recipient: string;
  /** What the text is made of; the code in it is encrypted. */
  content: Record<string, unknown>;
  attempts: number;
  /** When to try next: also while somebody tries, so that a node that died is taken over from. */
  nextAttemptAt: Date | null;
  /** After this the code in it is worth nothing. */
  expiresAt: Date | null;
  reason: string | null;
  createdAt: Date;
  changedAt: Date;
};

export const notificationTable: RowTable = {
  name: "notifications",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["channel", "text"],
    ["kind", "text"],
    ["subject", "text"],
    ["recipient", "text"],
    ["content", "jsonb"],
    ["attempts", "bigint"],
    ["next_attempt_at", "time"],
    ["expires_at", "time"],
    ["reason", "text"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type OrganizationRow = {
  id: string;
  sequence: number;
  status: "none" | "active" | "inactive" | "removed";
  name: string;
  /** Unique on the instance: the name in lower case, null once removed. */
  nameKey: string | null;
  primaryDomain: string;
  /** The organization's own lockout setting; null: the instance's applies. */
  maxPasswordAttempts: number | null;
  maxOtpAttempts: number | null;
  /** Its own limit of sessions per user; null: the instance's applies. */
  concurrency: Concurrency | null;
  createdAt: Date;
  changedAt: Date;
};

export const organizationTable: RowTable = {
  name: "organizations",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["name", "text"],
    ["name_key", "text"],
    ["primary_domain", "text"],
    ["max_password_attempts", "bigint"],
    ["max_otp_attempts", "bigint"],
    ["concurrency", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

/** A way out for mails or text messages; at most one of a channel is active. */
export type DeliveryProvider = {
  id: string;
  type: "smtp" | "http" | "twilio";
  active: boolean;
  description: string;
  /** Host, sender, endpoint: what the type needs; no secret. */
  config: Record<string, unknown>;
  /** Encrypted as one JSON text, standard base64. */
  secrets: string | null;
};

export type InstanceRow = {
  id: string;
  sequence: number;
  status: "none" | "active";
  defaultOrganizationId: string;
  /** Derived from the master key; a server with another key must not serve this instance. */
  keyCheck: string;
  /** 0: wrong passwords never lock. */
  maxPasswordAttempts: number;
  /** Of each of the other factors that count; 0: they never lock. */
  maxOtpAttempts: number;
  settings: InstanceSettings;
  emailProviders: DeliveryProvider[];
  smsProviders: DeliveryProvider[];
  createdAt: Date;
  changedAt: Date;
};

export const instanceTable: RowTable = {
  name: "instances",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["default_organization_id", "text"],
    ["key_check", "text"],
    ["max_password_attempts", "bigint"],
    ["max_otp_attempts", "bigint"],
    ["settings", "jsonb"],
    ["email_providers", "jsonb"],
    ["sms_providers", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type MembershipRow = {
  userId: string;
  /** `instance`, or the id of an organization. */
  resourceId: string;
  roles: string[];
  createdAt: Date;
  changedAt: Date;
};

/** `resourceId` of a membership on the instance itself. Organization ids are UUIDs, or at least not this word. */
export const INSTANCE_RESOURCE = "instance";

export const membershipTable: RowTable = {
  name: "memberships",
  keyColumns: 2,
  insertOnly: ["created_at"],
  columns: [
    ["user_id", "text"],
    ["resource_id", "text"],
    ["roles", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};
