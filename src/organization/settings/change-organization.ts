import { type Caller, demand } from "../../auth/caller.ts";
import type { Permission } from "../../auth/roles.ts";
import { DomainError } from "../../errors.ts";
import { change } from "../../storage/aggregate.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import type { OrganizationEvent } from "../events.ts";
import { type OrganizationState, organizationAggregate } from "../organization.ts";
import type { SettingsDependencies } from "./change-instance.ts";

/**
 * Changes a setting of one organization. What is so already stays so, without an event.
 * @param decide the event, or undefined if there is nothing to change
 * @throws DomainError `auth.permission_denied`, `organization.not_found`, and what `decide` refuses
 */
export async function changeOrganization(
  { events, organizations }: SettingsDependencies,
  caller: Caller,
  permission: Permission,
  organizationId: string,
  decide: (organization: OrganizationState) => OrganizationEvent | undefined,
): Promise<Details> {
  demand(caller, permission, organizationId);
  return events.decide(organizationId, async () => {
    const organization = await organizations.find(organizationId);
    if (organization === undefined || organization.status === "removed") {
      throw new DomainError("organization.not_found");
    }
    const event = decide(organization);
    if (event === undefined) return detailsOf(organization, organizationId);
    const changed = change(organizationAggregate, organization, [event], caller.userId);
    return detailsOf(changed.state, organizationId, await events.append([changed]));
  });
}
