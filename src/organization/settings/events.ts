import type {
  LoginRules,
  PasswordAge,
  PasswordComplexity,
  SecretGenerator,
  SessionSettings,
} from "../../storage/instance-settings.ts";

/** What can happen to the instance's settings, but for the limits that lock users. */
export type SettingsEvent =
  | { type: "instance.policy.password.complexity.changed"; payload: PasswordComplexity }
  | { type: "instance.policy.password.age.changed"; payload: PasswordAge }
  | { type: "instance.policy.login.changed"; payload: LoginRules }
  | { type: "instance.session.settings.changed"; payload: SessionSettings }
  /** Number of `zitadel.policy.v1.SecondFactorType`. */
  | { type: "instance.policy.login.secondfactor.added"; payload: { mfaType: number } }
  | { type: "instance.policy.login.secondfactor.removed"; payload: { mfaType: number } }
  /** Number of `zitadel.policy.v1.MultiFactorType`. */
  | { type: "instance.policy.login.multifactor.added"; payload: { mfaType: number } }
  | { type: "instance.policy.login.multifactor.removed"; payload: { mfaType: number } }
  | { type: "instance.policy.login.idpprovider.added"; payload: { idpConfigId: string } }
  | { type: "instance.policy.login.idpprovider.removed"; payload: { idpConfigId: string } }
  /** `generatorType`: number of `zitadel.settings.v1.SecretGeneratorType`. */
  | { type: "instance.secret.generator.changed"; payload: SecretGenerator & { generatorType: number } };
