import type { Change } from "../storage/aggregate.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import { membersOf } from "./members.ts";

/**
 * What takes a removed user's roles away, wherever it has any; for the unit that removes the user.
 * @param actorId who removes the user
 */
export async function cascadeMemberships(
  organizations: OrganizationRepository,
  userId: string,
  actorId: string,
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { resourceId } of await organizations.membershipsOf(userId)) {
    const kind = resourceId === INSTANCE_RESOURCE ? "instance" : "organization";
    const members = await membersOf(organizations, { kind, resourceId }, actorId);
    if (members) changes.push(members.cascadeRemoved(userId));
  }
  return changes;
}
