import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { cascadeMemberships } from "../organization/memberships.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { RemovableUser } from "../storage/organization-removal.ts";
import type { UserDependencies } from "./dependencies.ts";
import { mayDelete } from "./permissions.ts";
import { initialUser, userAggregate, userExists } from "./user.ts";

/**
 * Removes a user with its tokens and roles, in one append; every session of the user is over with it. The name and the
 * id are free again.
 * @throws DomainError `auth.permission_denied`, `user.delete_not_found`
 */
export function deleteUser(
  { events, users, organizations }: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<Details> {
  return events.decide(userId, async () => {
    const user = await users.find(userId);
    if (!mayDelete(caller, user)) throw new DomainError("auth.permission_denied");
    if (user === undefined || !userExists(user)) throw new DomainError("user.delete_not_found");
    const removed = change(userAggregate, user, [{ type: "user.removed", payload: {} }], caller.userId);
    const memberships = await cascadeMemberships(organizations, userId, caller.userId);
    const appendedAt = await events.append([removed, ...memberships]);
    return detailsOf(removed.state, user.organizationId, appendedAt);
  });
}

/** A user goes with its organization. Its roles elsewhere are taken away beside this, those of all users at once. */
export function removedWithOrganization(user: RemovableUser, actorId: string): Change {
  const state = { ...initialUser(user.id), ...user };
  const event = { type: "user.removed", payload: { organizationRemoved: true } } as const;
  // Not the whole row was loaded, so all of it is to be written.
  const { before: _, ...removed } = change(userAggregate, state, [event], actorId);
  return removed;
}
