import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import type { Details } from "../../storage/details.ts";
import type { LockoutLimits } from "../../storage/organization-repository.ts";
import type { OrganizationState } from "../organization.ts";
import { changeInstance, type SettingsDependencies, sameSetting } from "./change-instance.ts";
import { changeOrganization } from "./change-organization.ts";

/**
 * Changes after how many failures in a row the users of the instance are locked; counts from the next failure on.
 * @throws DomainError `auth.permission_denied`
 */
export function changeLockout(
  dependencies: SettingsDependencies,
  caller: Caller,
  limits: LockoutLimits,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) =>
    sameSetting(limits, instance)
      ? undefined
      : { type: "instance.policy.lockout.changed", payload: { ...limits } },
  );
}

/**
 * Gives an organization limits of its own; from now on the instance's do not concern it.
 * @throws DomainError `auth.permission_denied`, `organization.not_found`, `settings.lockout_exists`
 */
export function addOrganizationLockout(
  dependencies: SettingsDependencies,
  caller: Caller,
  organizationId: string,
  limits: LockoutLimits,
): Promise<Details> {
  return changeOrganization(dependencies, caller, "policy.write", organizationId, (organization) => {
    if (ownLimits(organization)) throw new DomainError("settings.lockout_exists");
    return { type: "org.policy.lockout.added", payload: { ...limits } };
  });
}

/** @throws DomainError `auth.permission_denied`, `organization.not_found`, `settings.lockout_not_found` */
export function changeOrganizationLockout(
  dependencies: SettingsDependencies,
  caller: Caller,
  organizationId: string,
  limits: LockoutLimits,
): Promise<Details> {
  return changeOrganization(dependencies, caller, "policy.write", organizationId, (organization) => {
    const own = ownLimits(organization);
    if (!own) throw new DomainError("settings.lockout_not_found");
    return sameSetting(limits, own)
      ? undefined
      : { type: "org.policy.lockout.changed", payload: { ...limits } };
  });
}

/**
 * Drops an organization's own limits: the instance's apply again.
 * @throws DomainError `auth.permission_denied`, `organization.not_found`, `settings.lockout_not_found`
 */
export function resetOrganizationLockout(
  dependencies: SettingsDependencies,
  caller: Caller,
  organizationId: string,
): Promise<Details> {
  return changeOrganization(dependencies, caller, "policy.delete", organizationId, (organization) => {
    if (!ownLimits(organization)) throw new DomainError("settings.lockout_not_found");
    return { type: "org.policy.lockout.removed", payload: {} };
  });
}

/** An organization's own limits, undefined if it has none. */
export function ownLimits({
  maxPasswordAttempts,
  maxOtpAttempts,
}: OrganizationState): LockoutLimits | undefined {
  if (maxPasswordAttempts === null) return undefined;
  return { maxPasswordAttempts, maxOtpAttempts: maxOtpAttempts ?? 0 };
}
