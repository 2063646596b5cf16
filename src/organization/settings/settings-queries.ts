import { type Caller, INSTANCE, isPermitted } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import type { LockoutLimits, OrganizationRepository } from "../../storage/organization-repository.ts";
import type { Page } from "../../storage/page.ts";
import type { IdentityProviderRow } from "../../storage/tables.ts";
import type { OrganizationState } from "../organization.ts";
import { ownLimits } from "./lockout.ts";
import { type Settings, settingsOf } from "./settings.ts";

/** Whose settings are asked for; undefined: those of the organization the call is about. */
export type SettingsOwner = { organizationId: string } | "instance" | undefined;

export type SettingsInForce = {
  /** The instance's: no organization can have these for itself. */
  settings: Settings;
  /** Of the instance, whose settings they are. */
  details: Details;
  lockout: LockoutLimits & { owner: "instance" | "organization"; details: Details };
};

type Dependencies = { organizations: OrganizationRepository };

/**
 * What applies to an organization, or to the instance: an organization's own value wins.
 * @throws DomainError `auth.organization_unknown`, `auth.method_permission_denied`
 */
export async function settingsInForce(
  { organizations }: Dependencies,
  caller: Caller,
  owner: SettingsOwner,
): Promise<SettingsInForce> {
  const organization = await readableOwner(organizations, caller, owner);
  const instance = (await organizations.instance())!;
  const details = detailsOf(instance, instance.id);
  const own = organization && ownLimits(organization);
  const { maxPasswordAttempts, maxOtpAttempts } = instance;
  return {
    settings: settingsOf(instance),
    details,
    lockout: own
      ? { ...own, owner: "organization", details: detailsOf(organization, organization.id) }
      : { maxPasswordAttempts, maxOtpAttempts, owner: "instance", details },
  };
}

/** Each given one must be as it says. */
export type ProviderFilter = {
  creationAllowed?: boolean | undefined;
  linkingAllowed?: boolean | undefined;
  autoCreation?: boolean | undefined;
  autoLinking?: boolean | undefined;
};

/**
 * The identity providers people may sign in with; one that was removed or switched off is none.
 * @throws DomainError `auth.organization_unknown`, `auth.method_permission_denied`
 */
export async function activeIdentityProviders(
  dependencies: Dependencies,
  caller: Caller,
  owner: SettingsOwner,
  filter: ProviderFilter,
): Promise<Page<IdentityProviderRow>> {
  const { settings } = await settingsInForce(dependencies, caller, owner);
  const page = await dependencies.organizations.activeIdentityProviders(settings.loginIdpIds);
  const rows = page.rows.filter(
    ({ options }) =>
      (filter.creationAllowed ?? options.isCreationAllowed) === options.isCreationAllowed &&
      (filter.linkingAllowed ?? options.isLinkingAllowed) === options.isLinkingAllowed &&
      (filter.autoCreation ?? options.isAutoCreation) === options.isAutoCreation &&
      (filter.autoLinking ?? options.autoLinking !== 0) === (options.autoLinking !== 0),
  );
  return { ...page, rows, total: rows.length };
}

/**
 * @returns the organization; undefined: the instance is meant
 * @throws DomainError `auth.organization_unknown`, `auth.method_permission_denied`
 */
export async function readableOwner(
  organizations: OrganizationRepository,
  caller: Caller,
  owner: SettingsOwner,
): Promise<OrganizationState | undefined> {
  if (owner === "instance") {
    demandRead(caller, INSTANCE);
    return undefined;
  }
  const organizationId = owner?.organizationId ?? caller.contextOrganizationId;
  const organization = await organizations.find(organizationId);
  if (organization === undefined || organization.status === "removed") {
    throw new DomainError("auth.organization_unknown");
  }
  demandRead(caller, organizationId);
  return organization;
}

function demandRead(caller: Caller, scope: typeof INSTANCE | string): void {
  if (!isPermitted(caller, "policy.read", scope)) throw new DomainError("auth.method_permission_denied");
}
