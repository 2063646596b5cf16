import type { Caller } from "../auth/caller.ts";
import type { Permission } from "../auth/roles.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { changeProofs } from "./change-proofs.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { accessible } from "./permissions.ts";
import type { UserState } from "./user.ts";

/** An act on somebody's factors: what it takes if the caller is not that person, and what says there is nobody. */
export type FactorAct = { permission: Permission; notFound: ErrorSlug };

/**
 * Decides and stores one act on a person's factors, one's own or by permission. A service account has none. Sessions
 * end with a factor that is taken away.
 * @param decide no events: everything is as it should be already
 * @returns the user's details after the act
 * @throws DomainError `auth.permission_denied`, the act's `notFound`, what `decide` refuses
 */
export function changeFactor(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
  { permission, notFound }: FactorAct,
  decide: (user: UserState) => UserEvent[],
): Promise<Details> {
  const { events, users } = dependencies;
  return events.decide(userId, async () => {
    const user = accessible(caller, await users.find(userId), permission, notFound, "selfOrPermission");
    if (user.type !== "human") throw new DomainError(notFound);
    const decided = decide(user);
    if (decided.length === 0) return detailsOf(user, user.organizationId);
    const { user: changed, others } = await changeProofs(dependencies, caller, user, decided);
    return detailsOf(changed.state, user.organizationId, await events.append([changed, ...others]));
  });
}
