import type { Caller } from "../../auth/caller.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import type { Concurrency, SessionSettings, StoredSessionSettings } from "../../storage/instance-settings.ts";
import type { OrganizationRepository } from "../../storage/organization-repository.ts";
import { settingsOf } from "./settings.ts";
import { readableOwner, type SettingsOwner } from "./settings-queries.ts";

/**
 * The session settings in force: an organization's own concurrency limit wins over the instance's.
 * @param organizationId undefined: the instance's
 */
export async function sessionSettings(
  { organizations }: { organizations: OrganizationRepository },
  organizationId: string | null | undefined,
): Promise<SessionSettings & { ownConcurrency: Concurrency | null }> {
  return settingsInForce(await organizations.sessionSettings(organizationId ?? ""));
}

/** The same of what is stored. */
export function settingsInForce({
  session,
  concurrency: ownConcurrency,
}: StoredSessionSettings): SessionSettings & { ownConcurrency: Concurrency | null } {
  const settings = settingsOf({ settings: session ? { session } : {} }).session;
  return { ...settings, concurrency: ownConcurrency ?? settings.concurrency, ownConcurrency };
}

export type SessionSettingsInForce = {
  settings: SessionSettings;
  isConcurrencyOwn: boolean;
  /** Of the organization if the limit is its own, else of the instance. */
  details: Details;
};

/**
 * The same for whoever may read them.
 * @throws DomainError `auth.organization_unknown`, `auth.method_permission_denied`
 */
export async function sessionSettingsInForce(
  { organizations }: { organizations: OrganizationRepository },
  caller: Caller,
  owner: Exclude<SettingsOwner, undefined>,
): Promise<SessionSettingsInForce> {
  const organization = await readableOwner(organizations, caller, owner);
  const instance = (await organizations.instance())!;
  const { session } = settingsOf(instance);
  const own = organization?.concurrency;
  return own
    ? {
        settings: { ...session, concurrency: own },
        isConcurrencyOwn: true,
        details: detailsOf(organization, organization.id),
      }
    : { settings: session, isConcurrencyOwn: false, details: detailsOf(instance, instance.id) };
}
