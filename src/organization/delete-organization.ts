import { type Caller, demand } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { OrganizationContents } from "../storage/organization-removal.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import type { OrganizationDependencies, Removals } from "./dependencies.ts";
import type { InstanceEvent, OrganizationEvent } from "./events.ts";
import { instanceAggregate } from "./instance.ts";
import { type OrganizationState, organizationAggregate } from "./organization.ts";

/**
 * Users that one call can remove. It is one append, which everybody who changes one of them waits for, and the database
 * is given ten seconds to answer.
 */
export const MAX_REMOVED_USERS = 10_000;

/**
 * Removes an organization with everybody and everything in it, in one append: with the answer no session, token, role or
 * provider of it works anywhere, and its name, its domain and the names of its users are free again.
 * @returns its details, as of its removal
 * @throws DomainError `auth.permission_denied`; `organization.not_found` for callers who may know;
 *   `organization.is_default`, `organization.last_owner`, `organization.too_many_users`
 */
export async function deleteOrganization(
  {
    events,
    organizations,
    removals,
  }: Pick<OrganizationDependencies, "events" | "organizations" | "removals">,
  caller: Caller,
  organizationId: string,
): Promise<Details> {
  demand(caller, "org.delete", organizationId);
  // Also before anything is held: it would be for nothing.
  removable(await organizations.find(organizationId), (await organizations.instance())!);
  return events.decide(organizationId, () =>
    organizations.held(organizationId, MAX_REMOVED_USERS, async (contents, trx) => {
      const { removed, others } = decideRemoval(contents, removals, caller.userId);
      const appendedAt = await events.appendWithin(trx, [[removed, ...others]]);
      return detailsOf(removed.state, organizationId, appendedAt);
    }),
  );
}

function removable(
  organization: OrganizationState | undefined,
  instance: { defaultOrganizationId: string },
): OrganizationState {
  if (organization === undefined || organization.status === "removed") {
    throw new DomainError("organization.not_found");
  }
  if (organization.id === instance.defaultOrganizationId) throw new DomainError("organization.is_default");
  return organization;
}

/** What is to be appended, all together. @throws DomainError as {@link deleteOrganization} */
export function decideRemoval(
  { users, providers, memberships, hasOwnerElsewhere, ...contents }: OrganizationContents,
  removals: Removals,
  actorId: string,
): { removed: Change & { state: OrganizationState }; others: Change[] } {
  const { instance } = contents;
  const organization = removable(contents.organization, instance);
  if (users.length > MAX_REMOVED_USERS) throw new DomainError("organization.too_many_users");
  const onInstance = memberships.filter(({ resourceId }) => resourceId === INSTANCE_RESOURCE);
  if (!hasOwnerElsewhere && onInstance.some(({ roles }) => roles.includes("IAM_OWNER"))) {
    throw new DomainError("organization.last_owner");
  }
  const removed = change(
    organizationAggregate,
    organization,
    [{ type: "org.removed", payload: {} }],
    actorId,
  );
  const others: Change[] = [
    ...users.map((user) => removals.user(user, actorId)),
    ...providers.map((provider) => removals.provider(provider, actorId)),
  ];
  for (const other of contents.others) {
    const left = memberships
      .filter(({ resourceId }) => resourceId === other.id)
      .map(({ userId }): OrganizationEvent => ({ type: "org.member.cascade.removed", payload: { userId } }));
    others.push(change(organizationAggregate, other, left, actorId));
  }
  if (onInstance.length > 0) {
    const left = onInstance.map(
      ({ userId }): InstanceEvent => ({ type: "instance.member.cascade.removed", payload: { userId } }),
    );
    others.push(change(instanceAggregate, instance, left, actorId));
  }
  return { removed, others };
}
