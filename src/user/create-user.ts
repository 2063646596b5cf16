import { type Caller, demand, isPermitted } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { existingOrganization } from "../organization/existing-organization.ts";
import type { Change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { OrganizationRow } from "../storage/tables.ts";
import type { UserDependencies } from "./dependencies.ts";
import { draftHuman, draftMachine, type NewHuman, type NewMachine, type UserDraft } from "./prepare-user.ts";

export type CreateUser = { organizationId: string } & ({ human: NewHuman } | { machine: NewMachine });

export type CreatedUser = {
  userId: string;
  details: Details;
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
};

/**
 * Adds a person or a service account to an organization, active at once.
 * @throws DomainError `auth.permission_denied`, `organization.not_found`, `user.id_exists`, `user.name_exists`, and
 *   whatever `draftHuman` and `draftMachine` refuse
 */
export async function createUser(
  dependencies: UserDependencies,
  caller: Caller,
  command: CreateUser,
): Promise<CreatedUser> {
  const { organizationId } = command;
  demand(caller, "user.write", organizationId);
  const { organizations } = dependencies;
  await existingOrganization(organizations, organizationId, "organization.not_found");
  const draft = await ("human" in command
    ? draftHuman(dependencies, command.human)
    : draftMachine(dependencies, command.machine));
  return store(dependencies, caller, draft, () =>
    existingOrganization(organizations, organizationId, "organization.not_found"),
  );
}

export type AddHumanUser = {
  /** Absent: the organization the call is about. */
  organization?: { id: string } | { domain: string } | undefined;
  human: NewHuman;
};

/**
 * The older way to add a person: the organization may be named by its domain or not at all.
 * @throws DomainError `auth.organization_unknown`, `auth.method_permission_denied`, and what {@link createUser} does
 */
export async function addHumanUser(
  dependencies: UserDependencies,
  caller: Caller,
  { organization, human }: AddHumanUser,
): Promise<CreatedUser> {
  const organizationId = await namedOrganization(dependencies, caller, organization);
  if (!isPermitted(caller, "user.write", organizationId)) {
    throw new DomainError("auth.method_permission_denied");
  }
  const { organizations } = dependencies;
  return store(dependencies, caller, await draftHuman(dependencies, human), () =>
    existingOrganization(organizations, organizationId, "auth.organization_unknown"),
  );
}

async function namedOrganization(
  { organizations }: UserDependencies,
  caller: Caller,
  named: AddHumanUser["organization"],
): Promise<string> {
  if (named === undefined) return caller.contextOrganizationId;
  const found = await ("id" in named
    ? organizations.find(named.id)
    : organizations.findByDomain(named.domain));
  if (!isPresent(found)) throw new DomainError("auth.organization_unknown");
  return found.id;
}

async function store(
  { events }: UserDependencies,
  caller: Caller,
  draft: UserDraft,
  existing: () => Promise<Change>,
): Promise<CreatedUser> {
  return events.decide(draft.userId, async () => {
    const organization = await existing();
    const organizationId = organization.id;
    const { user, changes, ...codes } = await draft.prepare(organizationId, caller.userId);
    // Where a new user of an old id loses a leftover role here, the organization is among the changes already.
    const isChanged = changes.some(({ type, id }) => type === "org" && id === organizationId);
    const appendedAt = await events.append(isChanged ? changes : [...changes, organization]);
    return { ...codes, userId: user.id, details: detailsOf(user.state, organizationId, appendedAt) };
  });
}

function isPresent(organization: OrganizationRow | undefined): organization is OrganizationRow {
  return organization !== undefined && organization.status !== "removed";
}
