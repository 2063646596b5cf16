import type { Caller } from "../auth/caller.ts";
import { sessionSettings } from "../organization/settings/session-settings.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { SessionsAffected } from "../storage/instance-settings.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { type LostProof, lostProofs } from "./lost-proof.ts";
import { type UserState, userAggregate } from "./user.ts";

/** What an act on a user appends: on the user, and on the session it was done with. */
export type ProofsChange = { user: Change & { state: UserState }; others: Change[] };

/**
 * The change of a user whose events may take away what proved the user: then its sessions end with it, as far as the
 * instance's settings say so. The one the caller acts with goes on, unless they say otherwise, without what is no
 * longer true of it.
 * @param events what is to happen to the user, decided on the state given
 * @throws DomainError `auth.session_not_found`, `auth.session_expired` (see {@link FindOwnSession})
 */
export async function changeProofs(
  { organizations, ownSession }: Pick<UserDependencies, "organizations" | "ownSession">,
  caller: Caller,
  user: UserState,
  events: readonly UserEvent[],
): Promise<ProofsChange> {
  const lost = lostProofs(user, events);
  if (lost.length === 0) return { user: change(userAggregate, user, events, caller.userId), others: [] };
  const settings = await sessionSettings({ organizations }, user.organizationId);
  const own = await ownSession(caller, user.id);
  const { affected, reason } = decideEnding(lost, settings);
  const kept = affected === "all" ? undefined : own;
  const ended: UserEvent[] =
    affected === "none"
      ? []
      : [{ type: "user.sessions.ended", payload: kept ? { reason, except: kept.id } : { reason } }];
  const changed = change(userAggregate, user, [...events, ...ended], caller.userId);
  const goesOn = kept?.keep(changed.state.sessionEpoch, lost);
  return { user: changed, others: goesOn ? [goesOn] : [] };
}

type Reason = Extract<UserEvent, { type: "user.sessions.ended" }>["payload"]["reason"];

const reach: { readonly [affected in SessionsAffected]: number } = { none: 0, others: 1, all: 2 };

/**
 * Which sessions an act ends, and why. One request may change the password and remove a factor: then whatever reaches
 * further decides, and of two that reach as far the password.
 * @param lost at least one
 */
export function decideEnding(
  lost: readonly LostProof[],
  {
    onPasswordChange,
    onFactorRemoval,
  }: { [setting in "onPasswordChange" | "onFactorRemoval"]: SessionsAffected },
): { affected: SessionsAffected; reason: Reason } {
  const hasNewPassword = lost.some(({ factor }) => factor === "password");
  const byPassword = hasNewPassword ? reach[onPasswordChange] : -1;
  const byFactor = lost.some(({ factor }) => factor !== "password") ? reach[onFactorRemoval] : -1;
  return byPassword >= byFactor
    ? { affected: onPasswordChange, reason: "password_changed" }
    : { affected: onFactorRemoval, reason: "factor_removed" };
}
