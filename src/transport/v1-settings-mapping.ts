import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  UpdateLoginPolicyRequest,
  UpdatePasswordComplexityPolicyRequest,
  UpdateSecretGeneratorRequest,
} from "../gen/zitadel/admin/v1/admin_service_pb.js";
import { type LockoutPolicySchema, PasswordlessType } from "../gen/zitadel/policy/v1/policy_pb.js";
import type { SettingsInForce } from "../organization/settings/settings-queries.ts";
import type { LoginRules, PasswordComplexity, SecretGenerator } from "../storage/instance-settings.ts";
import type { LockoutLimits } from "../storage/organization-repository.ts";
import { toObjectDetails } from "./details-mapping.ts";
import { fromDuration } from "./settings-mapping.ts";

export function fromLockout({ maxPasswordAttempts, maxOtpAttempts }: LockoutLimits): LockoutLimits {
  return { maxPasswordAttempts, maxOtpAttempts };
}

export function toLockoutPolicy({
  maxPasswordAttempts,
  maxOtpAttempts,
  owner,
  details,
}: SettingsInForce["lockout"]): MessageInitShape<typeof LockoutPolicySchema> {
  return {
    details: toObjectDetails(details),
    maxPasswordAttempts: BigInt(maxPasswordAttempts),
    maxOtpAttempts: BigInt(maxOtpAttempts),
    isDefault: owner === "instance",
  };
}

export function fromPasswordComplexity(request: UpdatePasswordComplexityPolicyRequest): PasswordComplexity {
  const { minLength, hasLowercase, hasUppercase, hasNumber, hasSymbol } = request;
  return { minLength, hasLowercase, hasUppercase, hasNumber, hasSymbol };
}

export function fromLoginPolicy(request: UpdateLoginPolicyRequest): LoginRules {
  return {
    allowUsernamePassword: request.allowUsernamePassword,
    allowRegister: request.allowRegister,
    allowExternalIdp: request.allowExternalIdp,
    forceMfa: request.forceMfa,
    forceMfaLocalOnly: request.forceMfaLocalOnly,
    allowPasskeys: request.passwordlessType === PasswordlessType.ALLOWED,
    hidePasswordReset: request.hidePasswordReset,
    ignoreUnknownUsernames: request.ignoreUnknownUsernames,
    allowDomainDiscovery: request.allowDomainDiscovery,
    disableLoginWithEmail: request.disableLoginWithEmail,
    disableLoginWithPhone: request.disableLoginWithPhone,
    defaultRedirectUri: request.defaultRedirectUri,
    passwordCheckLifetimeMs: fromDuration(request.passwordCheckLifetime),
    externalLoginCheckLifetimeMs: fromDuration(request.externalLoginCheckLifetime),
    mfaInitSkipLifetimeMs: fromDuration(request.mfaInitSkipLifetime),
    secondFactorCheckLifetimeMs: fromDuration(request.secondFactorCheckLifetime),
    multiFactorCheckLifetimeMs: fromDuration(request.multiFactorCheckLifetime),
  };
}

export function fromSecretGenerator(request: UpdateSecretGeneratorRequest): SecretGenerator {
  return {
    length: request.length,
    lifetimeMs: fromDuration(request.expiry),
    lowerLetters: request.includeLowerLetters,
    upperLetters: request.includeUpperLetters,
    digits: request.includeDigits,
    symbols: request.includeSymbols,
  };
}
