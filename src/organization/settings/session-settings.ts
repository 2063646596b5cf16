import type { Concurrency, SessionSettings } from "../../storage/instance-settings.ts";
import type { OrganizationRepository } from "../../storage/organization-repository.ts";
import { settingsOf } from "./settings.ts";

/**
 * The session settings in force: an organization's own concurrency limit wins over the instance's.
 * @param organizationId undefined: the instance's
 */
export async function sessionSettings(
  { organizations }: { organizations: OrganizationRepository },
  organizationId: string | null | undefined,
): Promise<SessionSettings & { ownConcurrency: Concurrency | null }> {
  const { session, concurrency: ownConcurrency } = await organizations.sessionSettings(organizationId ?? "");
  const settings = settingsOf({ settings: session ? { session } : {} }).session;
  return { ...settings, concurrency: ownConcurrency ?? settings.concurrency, ownConcurrency };
}
