import type { Caller } from "../auth/caller.ts";
import type { Permission } from "../auth/roles.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { accessible } from "./permissions.ts";
import { type UserState, userAggregate } from "./user.ts";

/** An act on somebody's factors: what it takes if the caller is not that person, and what says there is nobody. */
export type FactorAct = { permission: Permission; notFound: ErrorSlug };

/**
 * Decides and stores one act on a person's factors, one's own or by permission. A service account has none.
 * @param decide no events: everything is as it should be already
 * @returns the user's details after the act
 * @throws DomainError `auth.permission_denied`, the act's `notFound`, what `decide` refuses
 */
export function changeFactor(
  { events, users }: UserDependencies,
  caller: Caller,
  userId: string,
  { permission, notFound }: FactorAct,
  decide: (user: UserState) => UserEvent[],
): Promise<Details> {
  return events.decide(userId, async () => {
    const user = accessible(caller, await users.find(userId), permission, notFound, "selfOrPermission");
    if (user.type !== "human") throw new DomainError(notFound);
    const decided = decide(user);
    if (decided.length === 0) return detailsOf(user, user.organizationId);
    const changed = change(userAggregate, user, decided, caller.userId);
    return detailsOf(changed.state, user.organizationId, await events.append([changed]));
  });
}
