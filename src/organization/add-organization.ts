import { type Caller, demand, INSTANCE } from "../auth/caller.ts";
import { ORGANIZATION_ROLES } from "../auth/roles.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import type { HumanDraft, OrganizationDependencies } from "./dependencies.ts";
import type { OrganizationEvent } from "./events.ts";
import { distinct, existingUser } from "./members.ts";
import { organizationAggregate } from "./organization.ts";
import { organizationDomain } from "./organization-domain.ts";

/** An administrator of a new organization; without roles its owner. `undefined`: the request named nobody. */
export type NewAdministrator<Human> = {
  user: { id: string } | { human: Human } | undefined;
  roles: readonly string[];
};

export type AddOrganization<Human> = {
  name: string;
  /** Absent: a new UUID. */
  organizationId?: string | undefined;
  admins: readonly NewAdministrator<Human>[];
};

export type CreatedAdministrator = {
  userId: string;
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
};

export type AddedOrganization = {
  organizationId: string;
  details: Details;
  /** The people who were added, not those who existed. */
  createdAdmins: CreatedAdministrator[];
};

type Admin = { user: { id: string } | { draft: HumanDraft }; roles: string[] };

/**
 * Adds an organization with its first administrators, existing users or new people, all in one append. Nobody has a
 * role in it yet, so it takes `org.write` on the instance.
 * @throws DomainError `auth.permission_denied`, `organization.name_empty`, `organization.id_reserved`,
 *   `organization.exists` (name or id), `organization.role_unknown`, `administrator.organization_roles_missing`,
 *   `administrator.organization_user_not_found`, `administrator.organization_exists` (a user twice), and what new
 *   people are refused with
 */
export async function addOrganization<Human>(
  dependencies: OrganizationDependencies<Human>,
  caller: Caller,
  command: AddOrganization<Human>,
): Promise<AddedOrganization> {
  demand(caller, "org.write", INSTANCE);
  const name = command.name.trim();
  if (name === "") throw new DomainError("organization.name_empty");
  // Roles on an organization of this id would be roles on the instance.
  if (command.organizationId === INSTANCE_RESOURCE) throw new DomainError("organization.id_reserved");
  const admins = await readAdmins(dependencies, command.admins);
  const organizationId = command.organizationId ?? uuidV7();

  const { events, organizations } = dependencies;
  return events.decide(organizationId, async () => {
    if (await organizations.find(organizationId)) throw new DomainError("organization.exists");
    const people = await prepareAdmins(dependencies, admins, organizationId, caller.userId);
    const added: OrganizationEvent[] = [
      {
        type: "org.added",
        payload: { name, primaryDomain: await freeDomain(dependencies, name, organizationId) },
      },
      ...people.members,
    ];
    const initial = organizationAggregate.initialState(organizationId);
    const organization = change(organizationAggregate, initial, added, caller.userId);
    const appendedAt = await events.append([organization, ...people.changes]);
    return {
      organizationId,
      details: detailsOf(organization.state, organizationId, appendedAt),
      createdAdmins: people.created,
    };
  });
}

async function readAdmins<Human>(
  { draftHuman }: OrganizationDependencies<Human>,
  admins: readonly NewAdministrator<Human>[],
): Promise<Admin[]> {
  const read: Admin[] = [];
  const ids = new Set<string>();
  for (const { user, roles } of admins) {
    if (user === undefined || ("id" in user && user.id === "")) {
      throw new DomainError("administrator.organization_roles_missing");
    }
    if (roles.some((role) => !ORGANIZATION_ROLES.has(role)))
      throw new DomainError("organization.role_unknown");
    const known = "id" in user ? user : { draft: await draftHuman(user.human) };
    const id = "id" in known ? known.id : known.draft.userId;
    if (ids.has(id)) throw new DomainError("administrator.organization_exists");
    ids.add(id);
    read.push({ user: known, roles: roles.length > 0 ? distinct(roles) : ["ORG_OWNER"] });
  }
  return read;
}

async function prepareAdmins(
  { users }: Pick<OrganizationDependencies, "users">,
  admins: readonly Admin[],
  organizationId: string,
  actorId: string,
): Promise<{ members: OrganizationEvent[]; changes: Change[]; created: CreatedAdministrator[] }> {
  const members: OrganizationEvent[] = [];
  const changes: Change[] = [];
  const created: CreatedAdministrator[] = [];
  for (const { user, roles } of admins) {
    if ("id" in user) {
      changes.push(await existingUser(users, user.id, "administrator.organization_user_not_found"));
      members.push({ type: "org.member.added", payload: { userId: user.id, roles } });
      continue;
    }
    const { userId } = user.draft;
    const person = await user.draft.prepare(organizationId, actorId);
    changes.push(...person.changes);
    members.push({ type: "org.member.added", payload: { userId, roles } });
    created.push({ userId, emailCode: person.emailCode, phoneCode: person.phoneCode });
  }
  return { members, changes, created };
}

/** The domain made of the name, or one with a part of the id in it if another organization has that already. */
async function freeDomain(
  { organizations, domain }: Pick<OrganizationDependencies, "organizations" | "domain">,
  name: string,
  organizationId: string,
): Promise<string> {
  const plain = organizationDomain(name, domain);
  if (plain !== undefined && !(await organizations.findByDomain(plain))) return plain;
  return organizationDomain(`${name} ${organizationId}`, domain) ?? domain;
}
