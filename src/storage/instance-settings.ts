/** What a new password must be made of. */
export type PasswordComplexity = {
  /** Characters, not bytes. */
  minLength: number;
  hasLowercase: boolean;
  hasUppercase: boolean;
  hasNumber: boolean;
  hasSymbol: boolean;
};

/** How long a password is good, for sign-in pages to act on. 0: for ever, or no warning. */
export type PasswordAge = { maxAgeDays: number; expireWarnDays: number };

/** How people may sign in. The lifetimes tell a sign-in page when to ask again; the server does not. */
export type LoginRules = {
  allowUsernamePassword: boolean;
  allowRegister: boolean;
  allowExternalIdp: boolean;
  forceMfa: boolean;
  /** Force it on whoever signed in without an identity provider. */
  forceMfaLocalOnly: boolean;
  allowPasskeys: boolean;
  hidePasswordReset: boolean;
  ignoreUnknownUsernames: boolean;
  allowDomainDiscovery: boolean;
  disableLoginWithEmail: boolean;
  disableLoginWithPhone: boolean;
  defaultRedirectUri: string;
  passwordCheckLifetimeMs: number;
  externalLoginCheckLifetimeMs: number;
  mfaInitSkipLifetimeMs: number;
  secondFactorCheckLifetimeMs: number;
  multiFactorCheckLifetimeMs: number;
};

/** How the codes of one kind are made. */
export type SecretGenerator = {
  /** Symbols. */
  length: number;
  /** 0: they never expire. */
  lifetimeMs: number;
  lowerLetters: boolean;
  upperLetters: boolean;
  digits: boolean;
  symbols: boolean;
};

/** Which of a user's sessions an act ends: all but the one it was done with, all, or none. */
export type SessionsAffected = "others" | "all" | "none";

/** How many live sessions a user may have, and what becomes of one too many. 0: any number. */
export type Concurrency = { maxSessionsPerUser: number; policy: "refuse" | "end_oldest" };

/** How long sessions live, how many a user may have, and what becomes of ended ones. Milliseconds; null: no limit. */
export type SessionSettings = {
  maxLifetimeMs: number | null;
  idleLifetimeMs: number | null;
  concurrency: Concurrency;
  onPasswordChange: SessionsAffected;
  onFactorRemoval: SessionsAffected;
  /** Days after the ending; 0: never. */
  retention: { foldAfterDays: number; removeAfterDays: number };
};

/** The instance's session settings if they were changed, and an organization's own limit if it has one. */
export type StoredSessionSettings = { session: SessionSettings | null; concurrency: Concurrency | null };

/** What differs from the defaults of a fresh instance. Factors are numbers of `zitadel.policy.v1`. */
export type InstanceSettings = {
  passwordComplexity?: PasswordComplexity;
  passwordAge?: PasswordAge;
  login?: LoginRules;
  session?: SessionSettings;
  secondFactors?: number[];
  multiFactors?: number[];
  /** The identity providers people may sign in with. */
  loginIdpIds?: string[];
  /** By number of `zitadel.settings.v1.SecretGeneratorType`. */
  secretGenerators?: { [type: string]: SecretGenerator };
};
