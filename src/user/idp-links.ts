import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import type { IdpDependencies } from "../idp/dependencies.ts";
import { providerFor } from "../idp/provider-queries.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { appliedLimit, type Page } from "../storage/page.ts";
import type { IdpLink } from "../storage/tables.ts";
import { changeProofs } from "./change-proofs.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { accessible, mayAct } from "./permissions.ts";
import { userAggregate } from "./user.ts";

/** More than anybody has accounts. */
const MAX_LINKS = 100;

/** One account of one user at a provider. */
export type LinkOfUser = { userId: string; idpId: string; externalUserId: string };

/**
 * Links a user with an account at a provider: oneself, or by permission.
 * @throws DomainError `auth.permission_denied`, `user.idp_link_user_not_found` (or no person), and what
 *   {@link linkEvents} refuses
 */
export function addIdpLink(
  { events, users, identityProviders }: UserDependencies,
  caller: Caller,
  { userId, link }: { userId: string; link: IdpLink },
): Promise<Details> {
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.idp_link_user_not_found", "selfOrPermission");
    if (user.type !== "human") throw new DomainError("user.idp_link_user_not_found");
    await demandProviders(identityProviders, user.organizationId, [link]);
    const linked = change(userAggregate, user, linkEvents(user.idpLinks, [link]), caller.userId);
    return detailsOf(linked.state, user.organizationId, await events.append([linked]));
  });
}

/**
 * Takes a link away: the account signs nobody in any more.
 * @throws DomainError `auth.permission_denied`, `user.idp_link_not_found`
 */
export function removeIdpLink(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, idpId, externalUserId }: LinkOfUser,
): Promise<Details> {
  const { events, users } = dependencies;
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.idp_link_not_found", "selfOrPermission");
    if (!hasLink(user.idpLinks, { idpId, externalUserId })) throw new DomainError("user.idp_link_not_found");
    const removed = {
      type: "user.human.externalidp.removed",
      payload: { idpConfigId: idpId, userId: externalUserId },
    } as const;
    const { user: changed, others } = await changeProofs(dependencies, caller, user, [removed]);
    return detailsOf(changed.state, user.organizationId, await events.append([changed, ...others]));
  });
}

export type ListIdpLinks = {
  userId: string;
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

/**
 * A user's accounts at providers, in the order they were linked. Of a user the caller may not read there are none.
 * @throws DomainError `list.limit_exceeded`
 */
export async function listIdpLinks(
  { users, clock }: UserDependencies,
  caller: Caller,
  { userId, offset, limit, ascending }: ListIdpLinks,
): Promise<Page<IdpLink>> {
  const applied = appliedLimit(limit);
  const user = await users.find(userId);
  const links = user && mayAct(caller, user, "user.read", "selfOrPermission") ? user.idpLinks : [];
  const ordered = ascending ? links : links.toReversed();
  return { rows: ordered.slice(offset, offset + applied), total: links.length, now: clock() };
}

/**
 * The events that add links to those there are.
 * @throws DomainError `user.idp_link_exists` for an account the user has already (another user's is refused when it is
 *   stored), `user.idp_links_too_many`
 */
export function linkEvents(present: readonly IdpLink[], added: readonly IdpLink[]): UserEvent[] {
  const links = [...present];
  for (const link of added) {
    if (hasLink(links, link)) throw new DomainError("user.idp_link_exists");
    links.push(link);
  }
  if (links.length > MAX_LINKS) throw new DomainError("user.idp_links_too_many");
  return added.map(({ idpId, externalUserId, displayName }) => ({
    type: "user.human.externalidp.added",
    payload: { idpConfigId: idpId, userId: externalUserId, displayName },
  }));
}

/**
 * Refuses links to providers that users of the organization cannot sign in with.
 * @throws DomainError `user.idp_link_provider_unknown`
 */
export async function demandProviders(
  identityProviders: IdpDependencies["identityProviders"],
  organizationId: string,
  links: readonly IdpLink[],
): Promise<void> {
  for (const idpId of new Set(links.map((link) => link.idpId))) {
    const provider = await providerFor({ identityProviders }, organizationId, idpId);
    if (provider === undefined) throw new DomainError("user.idp_link_provider_unknown");
  }
}

function hasLink(
  links: readonly IdpLink[],
  { idpId, externalUserId }: Omit<IdpLink, "displayName">,
): boolean {
  return links.some((link) => link.idpId === idpId && link.externalUserId === externalUserId);
}
