import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, type DurationSchema, durationFromMs } from "@bufbuild/protobuf/wkt";
import { DomainError } from "../errors.ts";
import type { RequestContext } from "../gen/zitadel/object/v2/object_pb.js";
import type { LockoutSettingsSchema } from "../gen/zitadel/settings/v2/lockout_settings_pb.js";
import {
  type IdentityProviderSchema,
  IdentityProviderType,
  type LoginSettingsSchema,
  PasskeysType,
} from "../gen/zitadel/settings/v2/login_settings_pb.js";
import type {
  PasswordComplexitySettingsSchema,
  PasswordExpirySettingsSchema,
} from "../gen/zitadel/settings/v2/password_settings_pb.js";
import { ResourceOwnerType } from "../gen/zitadel/settings/v2/settings_pb.js";
import type { GetActiveIdentityProvidersRequest } from "../gen/zitadel/settings/v2/settings_service_pb.js";
import type { Settings } from "../organization/settings/settings.ts";
import type {
  ProviderFilter,
  SettingsInForce,
  SettingsOwner,
} from "../organization/settings/settings-queries.ts";
import type { IdentityProviderRow } from "../storage/tables.ts";

export function fromContext(context: RequestContext | undefined): SettingsOwner {
  switch (context?.resourceOwner.case) {
    case "instance":
      return "instance";
    case "orgId":
      return context.resourceOwner.value === "" ? undefined : { organizationId: context.resourceOwner.value };
    default:
      return undefined;
  }
}

export function fromProviderFilter(request: GetActiveIdentityProvidersRequest): ProviderFilter {
  const { creationAllowed, linkingAllowed, autoCreation, autoLinking } = request;
  return { creationAllowed, linkingAllowed, autoCreation, autoLinking };
}

const owners = {
  instance: ResourceOwnerType.INSTANCE,
  organization: ResourceOwnerType.ORG,
} as const;

export function toLockoutSettings({
  maxPasswordAttempts,
  maxOtpAttempts,
  owner,
}: SettingsInForce["lockout"]): MessageInitShape<typeof LockoutSettingsSchema> {
  return {
    maxPasswordAttempts: BigInt(maxPasswordAttempts),
    maxOtpAttempts: BigInt(maxOtpAttempts),
    resourceOwnerType: owners[owner],
  };
}

export function toPasswordComplexitySettings({
  passwordComplexity,
}: Settings): MessageInitShape<typeof PasswordComplexitySettingsSchema> {
  return {
    minLength: BigInt(passwordComplexity.minLength),
    requiresLowercase: passwordComplexity.hasLowercase,
    requiresUppercase: passwordComplexity.hasUppercase,
    requiresNumber: passwordComplexity.hasNumber,
    requiresSymbol: passwordComplexity.hasSymbol,
    resourceOwnerType: ResourceOwnerType.INSTANCE,
  };
}

export function toPasswordExpirySettings({
  passwordAge,
}: Settings): MessageInitShape<typeof PasswordExpirySettingsSchema> {
  return {
    maxAgeDays: BigInt(passwordAge.maxAgeDays),
    expireWarnDays: BigInt(passwordAge.expireWarnDays),
    resourceOwnerType: ResourceOwnerType.INSTANCE,
  };
}

export function toLoginSettings({
  login,
  secondFactors,
  multiFactors,
}: Settings): MessageInitShape<typeof LoginSettingsSchema> {
  return {
    allowUsernamePassword: login.allowUsernamePassword,
    allowLocalAuthentication: login.allowUsernamePassword,
    allowRegister: login.allowRegister,
    allowExternalIdp: login.allowExternalIdp,
    forceMfa: login.forceMfa,
    forceMfaLocalOnly: login.forceMfaLocalOnly,
    passkeysType: login.allowPasskeys ? PasskeysType.ALLOWED : PasskeysType.NOT_ALLOWED,
    hidePasswordReset: login.hidePasswordReset,
    ignoreUnknownUsernames: login.ignoreUnknownUsernames,
    defaultRedirectUri: login.defaultRedirectUri,
    passwordCheckLifetime: toDuration(login.passwordCheckLifetimeMs),
    externalLoginCheckLifetime: toDuration(login.externalLoginCheckLifetimeMs),
    mfaInitSkipLifetime: toDuration(login.mfaInitSkipLifetimeMs),
    secondFactorCheckLifetime: toDuration(login.secondFactorCheckLifetimeMs),
    multiFactorCheckLifetime: toDuration(login.multiFactorCheckLifetimeMs),
    // The enums of the older interface number their factors alike.
    secondFactors,
    multiFactors,
    allowDomainDiscovery: login.allowDomainDiscovery,
    disableLoginWithEmail: login.disableLoginWithEmail,
    disableLoginWithPhone: login.disableLoginWithPhone,
    resourceOwnerType: ResourceOwnerType.INSTANCE,
  };
}

const providerTypes: { [type in IdentityProviderRow["type"]]: IdentityProviderType } = {
  oidc: IdentityProviderType.OIDC,
  oauth: IdentityProviderType.OAUTH,
  google: IdentityProviderType.GOOGLE,
  github: IdentityProviderType.GITHUB,
  gitlab: IdentityProviderType.GITLAB,
  azure_ad: IdentityProviderType.AZURE_AD,
  apple: IdentityProviderType.APPLE,
};

export function toActiveProvider({
  id,
  name,
  type,
  options,
}: IdentityProviderRow): MessageInitShape<typeof IdentityProviderSchema> {
  return { id, name, type: providerTypes[type], options };
}

/** 10,000 years: the bound of a duration (google/protobuf/duration.proto). */
const MAX_DURATION_MS = 315_576_000_000_000;

/**
 * A duration in milliseconds, rounded up; absent is none.
 * @throws DomainError `settings.duration_invalid`
 */
export function fromDuration(duration: Duration | undefined): number {
  if (duration === undefined) return 0;
  const milliseconds = Number(duration.seconds) * 1_000 + Math.ceil(duration.nanos / 1e6);
  if (!(milliseconds >= 0 && duration.nanos >= 0 && milliseconds <= MAX_DURATION_MS)) {
    throw new DomainError("settings.duration_invalid");
  }
  return milliseconds;
}

function toDuration(milliseconds: number): MessageInitShape<typeof DurationSchema> {
  return durationFromMs(milliseconds);
}
