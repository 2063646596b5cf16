import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import type { Details } from "../../storage/details.ts";
import type { LoginRules } from "../../storage/instance-settings.ts";
import { changeInstance, type SettingsDependencies, sameSetting } from "./change-instance.ts";
import { settingsOf } from "./settings.ts";

/**
 * Replaces how people may sign in; factors and identity providers stay as they are.
 * @throws DomainError `auth.permission_denied`, `settings.redirect_uri_invalid`
 */
export function changeLoginRules(
  dependencies: SettingsDependencies,
  caller: Caller,
  rules: LoginRules,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    if (!isRedirectTarget(rules.defaultRedirectUri)) throw new DomainError("settings.redirect_uri_invalid");
    return sameSetting(rules, settingsOf(instance).login)
      ? undefined
      : { type: "instance.policy.login.changed", payload: rules };
  });
}

/** A second factor goes beside another, a multi factor stands alone. */
export type FactorKind = "secondFactor" | "multiFactor";

const lists = { secondFactor: "secondFactors", multiFactor: "multiFactors" } as const;

/**
 * Allows a factor.
 * @param factor its number in the contract, of a kind's own enum
 * @throws DomainError `auth.permission_denied`, `settings.factor_exists`
 */
export function allowFactor(
  dependencies: SettingsDependencies,
  caller: Caller,
  kind: FactorKind,
  factor: number,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    if (settingsOf(instance)[lists[kind]].includes(factor)) throw new DomainError("settings.factor_exists");
    const payload = { mfaType: factor };
    return kind === "secondFactor"
      ? { type: "instance.policy.login.secondfactor.added", payload }
      : { type: "instance.policy.login.multifactor.added", payload };
  });
}

/**
 * Forbids a factor.
 * @throws DomainError `auth.permission_denied`, `settings.factor_not_found`
 */
export function forbidFactor(
  dependencies: SettingsDependencies,
  caller: Caller,
  kind: FactorKind,
  factor: number,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    if (!settingsOf(instance)[lists[kind]].includes(factor)) {
      throw new DomainError("settings.factor_not_found");
    }
    const payload = { mfaType: factor };
    return kind === "secondFactor"
      ? { type: "instance.policy.login.secondfactor.removed", payload }
      : { type: "instance.policy.login.multifactor.removed", payload };
  });
}

/**
 * Lets people sign in with an identity provider of the instance.
 * @throws DomainError `auth.permission_denied`, `settings.idp_not_found`, `settings.idp_exists`
 */
export function offerIdentityProvider(
  dependencies: SettingsDependencies,
  caller: Caller,
  idpId: string,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", async (instance) => {
    const { rows } = await dependencies.organizations.activeIdentityProviders([idpId]);
    if (!rows.some(({ organizationId }) => organizationId === null)) {
      throw new DomainError("settings.idp_not_found");
    }
    if (settingsOf(instance).loginIdpIds.includes(idpId)) throw new DomainError("settings.idp_exists");
    return { type: "instance.policy.login.idpprovider.added", payload: { idpConfigId: idpId } };
  });
}

/** @throws DomainError `auth.permission_denied`, `settings.idp_not_offered` */
export function withdrawIdentityProvider(
  dependencies: SettingsDependencies,
  caller: Caller,
  idpId: string,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    if (!settingsOf(instance).loginIdpIds.includes(idpId)) throw new DomainError("settings.idp_not_offered");
    return { type: "instance.policy.login.idpprovider.removed", payload: { idpConfigId: idpId } };
  });
}

const scriptSchemes = new Set(["javascript:", "data:", "vbscript:"]);

/** Empty, or where a sign-in page may send a browser to: an absolute address that is no script in disguise. */
function isRedirectTarget(uri: string): boolean {
  return uri === "" || (URL.canParse(uri) && !scriptSchemes.has(new URL(uri).protocol));
}
