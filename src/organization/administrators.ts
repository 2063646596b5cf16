import { type Caller, demand, INSTANCE, isPermitted, permittedScopes } from "../auth/caller.ts";
import { INSTANCE_ROLES, ORGANIZATION_ROLES } from "../auth/roles.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import type {
  AdministratorCondition,
  AdministratorRow,
  AdministratorSort,
} from "../storage/administrator-repository.ts";
import type { Change } from "../storage/aggregate.ts";
import { type Condition, checkConditions } from "../storage/conditions.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { appliedLimit, type Page } from "../storage/page.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import type { OrganizationDependencies } from "./dependencies.ts";
import { distinct, existingUser, type MemberChange, type Members, membersOf, sameRoles } from "./members.ts";

/** What is administered; `other` is what this server does not have. */
export type Resource = { kind: "instance" } | { kind: "organization"; id: string } | { kind: "other" };

export type Administrator = { userId: string; resource: Resource; roles: readonly string[] };

type Dependencies = Pick<OrganizationDependencies, "events" | "organizations" | "users">;

/**
 * Gives a user roles on a resource where it has none.
 * @returns details of the resource
 * @throws DomainError `administrator.resource_unsupported`, `auth.permission_denied`, `organization.not_found`, and
 *   for the kind of resource `administrator.…_roles_missing`, `…_role_unknown`, `…_user_not_found`, `…_exists`
 */
export async function createAdministrator(
  { events, organizations, users }: Dependencies,
  caller: Caller,
  { userId, resource, roles }: Administrator,
): Promise<Details> {
  const place = placeOf(resource);
  demandWrite(caller, place);
  checkRoles(place, roles);
  return events.decide(place.resourceId, async () => {
    const members = await existing(organizations, place, caller.userId);
    const guard = await existingUser(users, userId, place.slugs.userNotFound);
    if (await organizations.membership(userId, place.resourceId)) throw new DomainError(place.slugs.exists);
    return stored(events, members.added({ userId, roles: distinct(roles) }), guard);
  });
}

/**
 * Replaces the roles of a user on a resource.
 * @returns details of the resource, as of when the roles last changed; the same roles again change nothing
 * @throws DomainError as {@link createAdministrator}, but `…_not_found` for a user without roles there
 */
export async function updateAdministrator(
  { events, organizations }: Dependencies,
  caller: Caller,
  { userId, resource, roles }: Administrator,
): Promise<Details> {
  const place = placeOf(resource);
  demandWrite(caller, place);
  checkRoles(place, roles);
  return events.decide(place.resourceId, async () => {
    const members = await existing(organizations, place, caller.userId);
    const membership = await organizations.membership(userId, place.resourceId);
    if (!membership) throw new DomainError(place.slugs.notFound);
    if (sameRoles(membership.roles, roles)) {
      const { resource } = members;
      return { ...detailsOf(resource, resource.id), changedAt: membership.changedAt };
    }
    return stored(events, members.changed({ userId, roles: distinct(roles) }));
  });
}

/**
 * Takes all roles of a user on a resource away. Taking away nothing is no error, but it takes the permission too.
 * @returns details of the resource, or undefined if there was nothing to take away
 * @throws DomainError `administrator.resource_unsupported`, `auth.permission_denied`
 */
export async function deleteAdministrator(
  { events, organizations }: Dependencies,
  caller: Caller,
  { userId, resource }: Omit<Administrator, "roles">,
): Promise<Details | undefined> {
  const place = placeOf(resource);
  demandWrite(caller, place);
  return events.decide(place.resourceId, async () => {
    // First the resource: an organization that does not exist must not pass for the instance by its id.
    const members = await membersOf(organizations, place, caller.userId);
    if (!members || !(await organizations.membership(userId, place.resourceId))) return undefined;
    return stored(events, members.removed(userId));
  });
}

export type ListAdministrators = {
  conditions: readonly Condition<AdministratorCondition>[];
  sort: AdministratorSort;
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

/**
 * Lists who administers what, as far as the caller may see it: `iam.member.read` for the instance, `org.member.read`
 * for organizations. What may not be seen is neither listed nor counted.
 * @throws DomainError `list.limit_exceeded`, `administrator.query_too_deep`, `list.query_too_large`
 */
export async function listAdministrators(
  { administrators }: Pick<OrganizationDependencies, "administrators">,
  caller: Caller,
  { limit, ...query }: ListAdministrators,
): Promise<Page<AdministratorRow> & { appliedLimit: number }> {
  checkConditions(query.conditions, "administrator.query_too_deep");
  const scopes = permittedScopes(caller, "org.member.read");
  const applied = appliedLimit(limit);
  const page = await administrators.search({
    ...query,
    limit: applied,
    visibility: {
      instance: isPermitted(caller, "iam.member.read", INSTANCE),
      organizationIds: scopes === "everywhere" ? "everything" : scopes,
    },
  });
  return { ...page, appliedLimit: applied };
}

async function stored(
  events: Dependencies["events"],
  memberChange: MemberChange,
  ...guards: Change[]
): Promise<Details> {
  const appendedAt = await events.append([memberChange, ...guards]);
  return detailsOf(memberChange.state, memberChange.id, appendedAt);
}

type Place = {
  kind: "instance" | "organization";
  resourceId: string;
  roles: ReadonlySet<string>;
  slugs: { [refusal in "rolesMissing" | "roleUnknown" | "userNotFound" | "exists" | "notFound"]: ErrorSlug };
};

/** @throws DomainError `administrator.resource_unsupported` */
function placeOf(resource: Resource): Place {
  switch (resource.kind) {
    case "instance":
      return { kind: "instance", resourceId: INSTANCE_RESOURCE, roles: INSTANCE_ROLES, slugs: instanceSlugs };
    case "organization":
      return {
        kind: "organization",
        resourceId: resource.id,
        roles: ORGANIZATION_ROLES,
        slugs: organizationSlugs,
      };
    default:
      throw new DomainError("administrator.resource_unsupported");
  }
}

const instanceSlugs: Place["slugs"] = {
  rolesMissing: "administrator.instance_roles_missing",
  roleUnknown: "administrator.instance_role_unknown",
  userNotFound: "administrator.instance_user_not_found",
  exists: "administrator.instance_exists",
  notFound: "administrator.instance_not_found",
};

const organizationSlugs: Place["slugs"] = {
  rolesMissing: "administrator.organization_roles_missing",
  roleUnknown: "administrator.organization_role_unknown",
  userNotFound: "administrator.organization_user_not_found",
  exists: "administrator.organization_exists",
  notFound: "administrator.organization_not_found",
};

/** @throws DomainError `auth.permission_denied` */
function demandWrite(caller: Caller, { kind, resourceId }: Place): void {
  if (kind === "instance") demand(caller, "iam.member.write", INSTANCE);
  else demand(caller, "org.member.write", resourceId);
}

function checkRoles({ roles: known, slugs }: Place, roles: readonly string[]): void {
  if (roles.length === 0) throw new DomainError(slugs.rolesMissing);
  if (roles.some((role) => !known.has(role))) throw new DomainError(slugs.roleUnknown);
}

/** @throws DomainError `organization.not_found` */
async function existing(
  organizations: OrganizationDependencies["organizations"],
  place: Place,
  actorId: string,
): Promise<Members> {
  const members = await membersOf(organizations, place, actorId);
  if (!members) throw new DomainError("organization.not_found");
  return members;
}
