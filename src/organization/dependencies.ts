import type { AdministratorRepository } from "../storage/administrator-repository.ts";
import type { Change } from "../storage/aggregate.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { RemovableUser } from "../storage/organization-removal.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { IdentityProviderRow } from "../storage/tables.ts";
import type { UserRepository } from "../storage/user-repository.ts";

/**
 * What the organization commands and queries are handed by the composition root.
 * @template Human a person to add; what it looks like is the user room's business
 */
export type OrganizationDependencies<Human = never> = {
  events: EventRepository;
  organizations: OrganizationRepository;
  administrators: AdministratorRepository;
  users: UserRepository;
  /** Host part of every organization's own domain, `auth.example.com`. */
  domain: string;
  removals: Removals;
  /** Checks a person to be added; whoever drafts may prepare the changes as often as the command is decided. */
  draftHuman(human: Human): Promise<HumanDraft>;
};

/** What takes away what goes with its organization; what that means is said in the rooms they belong to. */
export type Removals = {
  user(user: RemovableUser, actorId: string): Change;
  provider(provider: IdentityProviderRow, actorId: string): Change;
};

/** A person that lacks only its organization. */
export type HumanDraft = {
  userId: string;
  prepare(organizationId: string, actorId: string): Promise<PreparedHuman>;
};

/** What is to be appended for a person to exist, and the codes that go back to the caller. */
export type PreparedHuman = {
  changes: Change[];
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
};
