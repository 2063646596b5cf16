import type { Caller } from "../auth/caller.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { UserStatus } from "../storage/tables.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { accessible } from "./permissions.ts";
import { type UserState, userAggregate } from "./user.ts";

type Transition = { from: readonly UserStatus[]; event: UserEvent; notFound: ErrorSlug; refused: ErrorSlug };

/** From where each act is possible (spec user-slice §3). */
const transitions = {
  lock: {
    from: ["active"],
    event: { type: "user.locked", payload: {} },
    notFound: "user.lock_not_found",
    refused: "user.lock_not_active",
  },
  unlock: {
    from: ["locked"],
    event: { type: "user.unlocked", payload: {} },
    notFound: "user.unlock_not_found",
    refused: "user.unlock_not_locked",
  },
  deactivate: {
    from: ["active", "locked"],
    event: { type: "user.deactivated", payload: {} },
    notFound: "user.deactivate_not_found",
    refused: "user.deactivate_already",
  },
  reactivate: {
    from: ["inactive"],
    event: { type: "user.reactivated", payload: {} },
    notFound: "user.reactivate_not_found",
    refused: "user.reactivate_not_inactive",
  },
} satisfies Record<string, Transition>;

export type StateChange = keyof typeof transitions;

/**
 * Locks, unlocks, deactivates or reactivates a user; being the user is no entitlement. Locking and deactivating end
 * every session of the user at once, unlocking forgets its failed attempts.
 * @throws DomainError `auth.permission_denied`, then the act's `…_not_found` or its refusal
 */
export function changeUserState(
  { events, users }: UserDependencies,
  caller: Caller,
  act: StateChange,
  userId: string,
): Promise<Details> {
  return events.decide(userId, async () => {
    const user = accessible(caller, await users.find(userId), "user.write", transitions[act].notFound);
    const changed = change(userAggregate, user, decideStateChange(user, act), caller.userId);
    return detailsOf(changed.state, user.organizationId, await events.append([changed]));
  });
}

export function decideStateChange(user: UserState, act: StateChange): UserEvent[] {
  const { from, event, refused }: Transition = transitions[act];
  if (!from.includes(user.status)) throw new DomainError(refused);
  return [event];
}
