import { DomainError, type ErrorSlug } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { InstanceEvent, OrganizationEvent } from "./events.ts";
import { type InstanceState, instanceAggregate } from "./instance.ts";
import { type OrganizationState, organizationAggregate } from "./organization.ts";

type Member = { userId: string; roles: string[] };

/** A change of the resource whose members they are. */
export type MemberChange = Change & { state: InstanceState | OrganizationState };

/** What can happen to the members of one resource, each as the change to append. */
export type Members = {
  added(member: Member): MemberChange;
  changed(member: Member): MemberChange;
  removed(userId: string): MemberChange;
  /** The member's user is being removed. */
  cascadeRemoved(userId: string): MemberChange;
  /** The resource as it is. */
  resource: InstanceState | OrganizationState;
};

/**
 * The members of the instance or of an organization, as of its state now.
 * @returns undefined if there is no such organization
 */
export async function membersOf(
  organizations: OrganizationRepository,
  { kind, resourceId }: { kind: "instance" | "organization"; resourceId: string },
  actorId: string,
): Promise<Members | undefined> {
  if (kind === "instance") {
    const instance = (await organizations.instance())!;
    const record = (event: InstanceEvent) => change(instanceAggregate, instance, [event], actorId);
    return {
      resource: instance,
      added: (payload) => record({ type: "instance.member.added", payload }),
      changed: (payload) => record({ type: "instance.member.changed", payload }),
      removed: (userId) => record({ type: "instance.member.removed", payload: { userId } }),
      cascadeRemoved: (userId) => record({ type: "instance.member.cascade.removed", payload: { userId } }),
    };
  }
  const organization = await organizations.find(resourceId);
  if (organization === undefined || organization.status === "removed") return undefined;
  const record = (event: OrganizationEvent) => change(organizationAggregate, organization, [event], actorId);
  return {
    resource: organization,
    added: (payload) => record({ type: "org.member.added", payload }),
    changed: (payload) => record({ type: "org.member.changed", payload }),
    removed: (userId) => record({ type: "org.member.removed", payload: { userId } }),
    cascadeRemoved: (userId) => record({ type: "org.member.cascade.removed", payload: { userId } }),
  };
}

/**
 * A change without events: the unit is refused if the user has changed meanwhile, so it can't be removed unnoticed.
 * @throws DomainError `notFound` if there is no such user, or no longer
 */
export async function existingUser(
  users: UserRepository,
  userId: string,
  notFound: ErrorSlug,
): Promise<Change> {
  const user = await users.find(userId);
  if (user === undefined || user.status === "none" || user.status === "removed") {
    throw new DomainError(notFound);
  }
  return { type: "user", id: userId, expectedSequence: user.sequence, events: [], state: user };
}

export function distinct(roles: readonly string[]): string[] {
  return [...new Set(roles)];
}

/** In which order, and how often, does not matter. */
export function sameRoles(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && [...left].every((role) => right.has(role));
}
