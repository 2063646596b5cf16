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

/** What differs from the defaults of a fresh instance. Factors are numbers of `zitadel.policy.v1`. */
export type InstanceSettings = {
  passwordComplexity?: PasswordComplexity;
  passwordAge?: PasswordAge;
  login?: LoginRules;
  secondFactors?: number[];
  multiFactors?: number[];
  /** The identity providers people may sign in with. */
  loginIdpIds?: string[];
  /** By number of `zitadel.settings.v1.SecretGeneratorType`. */
  secretGenerators?: { [type: string]: SecretGenerator };
};
