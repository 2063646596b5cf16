import type { InstanceSettings } from "../../storage/instance-settings.ts";
import type { SettingsEvent } from "./events.ts";

const HOUR_MS = 3_600_000;

/** Of a fresh instance (spec user-slice §15). */
const defaults = {
  passwordComplexity: {
    minLength: 8,
    hasLowercase: true,
    hasUppercase: true,
    hasNumber: true,
    hasSymbol: true,
  },
  passwordAge: { maxAgeDays: 0, expireWarnDays: 0 },
  login: {
    allowUsernamePassword: true,
    allowRegister: true,
    allowExternalIdp: true,
    forceMfa: false,
    forceMfaLocalOnly: false,
    allowPasskeys: true,
    hidePasswordReset: false,
    ignoreUnknownUsernames: false,
    allowDomainDiscovery: true,
    disableLoginWithEmail: false,
    disableLoginWithPhone: false,
    defaultRedirectUri: "",
    passwordCheckLifetimeMs: 240 * HOUR_MS,
    externalLoginCheckLifetimeMs: 240 * HOUR_MS,
    mfaInitSkipLifetimeMs: 720 * HOUR_MS,
    secondFactorCheckLifetimeMs: 18 * HOUR_MS,
    multiFactorCheckLifetimeMs: 12 * HOUR_MS,
  },
  session: {
    maxLifetimeMs: null,
    idleLifetimeMs: null,
    concurrency: { maxSessionsPerUser: 0, policy: "refuse" },
    onPasswordChange: "others",
    onFactorRemoval: "others",
    retention: { foldAfterDays: 30, removeAfterDays: 90 },
  },
  /** Authenticator app, security key, codes by e-mail, codes by SMS. */
  secondFactors: [1, 2, 3, 4],
  /** A passkey, or a security key with user verification. */
  multiFactors: [1],
  loginIdpIds: [],
} satisfies InstanceSettings;

/** The settings in force: what was decided for the instance, else the default. */
export type Settings = Required<Omit<InstanceSettings, "secretGenerators">>;

export function settingsOf({ settings }: { settings: InstanceSettings }): Settings {
  const { secretGenerators: _, ...decided } = settings;
  return { ...defaults, ...decided };
}

/** The fold of one event. */
export function settingsAfter(settings: InstanceSettings, event: SettingsEvent): InstanceSettings {
  const current = settingsOf({ settings });
  switch (event.type) {
    case "instance.policy.password.complexity.changed":
      return { ...settings, passwordComplexity: event.payload };
    case "instance.policy.password.age.changed":
      return { ...settings, passwordAge: event.payload };
    case "instance.policy.login.changed":
      return { ...settings, login: event.payload };
    case "instance.session.settings.changed":
      return { ...settings, session: event.payload };
    case "instance.policy.login.secondfactor.added":
      return { ...settings, secondFactors: [...current.secondFactors, event.payload.mfaType] };
    case "instance.policy.login.secondfactor.removed":
      return { ...settings, secondFactors: without(current.secondFactors, event.payload.mfaType) };
    case "instance.policy.login.multifactor.added":
      return { ...settings, multiFactors: [...current.multiFactors, event.payload.mfaType] };
    case "instance.policy.login.multifactor.removed":
      return { ...settings, multiFactors: without(current.multiFactors, event.payload.mfaType) };
    case "instance.policy.login.idpprovider.added":
      return { ...settings, loginIdpIds: [...current.loginIdpIds, event.payload.idpConfigId] };
    case "instance.policy.login.idpprovider.removed":
      return { ...settings, loginIdpIds: without(current.loginIdpIds, event.payload.idpConfigId) };
    case "instance.secret.generator.changed": {
      const { generatorType, ...generator } = event.payload;
      return { ...settings, secretGenerators: { ...settings.secretGenerators, [generatorType]: generator } };
    }
    default:
      return event satisfies never;
  }
}

function without<T>(list: readonly T[], item: T): T[] {
  return list.filter((each) => each !== item);
}
