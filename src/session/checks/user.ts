import { DomainError } from "../../errors.ts";
import { type UserState, userExists } from "../../user/user.ts";
import type { SessionState } from "../session.ts";
import type { CheckOutcome } from "./outcome.ts";

/**
 * Selects the session's user; proves nothing by itself (spec session-api §10.1).
 * @param user whom the request names; undefined if nobody is called so
 * @param at the application's clock
 * @throws DomainError `session.user_not_found`, `session.user_not_active`, `session.user_change`, `session.terminated`
 */
export function checkUser(session: SessionState, user: UserState | undefined, at: Date): CheckOutcome {
  if (user === undefined || !userExists(user)) throw new DomainError("session.user_not_found");
  if (user.status !== "active") throw new DomainError("session.user_not_active");
  if (session.userId !== null) {
    if (session.userId !== user.id) throw new DomainError("session.user_change");
    // Ended since it was read, which the user, read after it, tells: the check would begin it anew in the user's epoch.
    if (session.userEpoch !== user.sessionEpoch) throw new DomainError("session.terminated");
  }
  return {
    session: [
      {
        type: "session.user.checked",
        payload: {
          userID: user.id,
          userResourceOwner: user.organizationId,
          userEpoch: user.sessionEpoch,
          checkedAt: at.toISOString(),
          ...(user.preferredLanguage === null ? {} : { preferredLanguage: user.preferredLanguage }),
        },
      },
    ],
    user: [],
  };
}
