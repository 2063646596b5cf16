import { DomainError } from "../../errors.ts";
import {
  decidePasswordAttempt,
  type PasswordVerdict,
  type PasswordVerification,
} from "../../user/password-check.ts";
import { type UserState, userExists } from "../../user/user.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";

/** The password check: one verification of one hash, whatever the outcome. */
export async function checkPassword(
  { user, lockout, at }: CheckContext,
  password: string,
  verify: PasswordVerification,
): Promise<CheckOutcome> {
  const verdict = await verify(password, passwordHashToCheck(user));
  const { maxPasswordAttempts } = verdict.matches ? { maxPasswordAttempts: 0 } : await lockout();
  return decidePasswordCheck(user!, verdict, maxPasswordAttempts, at);
}

/**
 * Refuses a password check that could not succeed whatever the password (spec session-api §10.2, 1 to 4).
 * @param user the session's user; undefined if the session has none
 * @returns the hash to verify against
 * @throws DomainError `session.password_without_user`, `…_user_not_found`, `…_user_locked`, `…_not_set`
 */
export function passwordHashToCheck(user: UserState | undefined): string {
  if (user === undefined) throw new DomainError("session.password_without_user");
  if (!userExists(user) || user.type !== "human") throw new DomainError("session.password_user_not_found");
  if (user.status === "locked") {
    throw new DomainError("session.password_user_locked", { failedAttempts: user.passwordFailedAttempts });
  }
  if (user.passwordHash === null) throw new DomainError("session.password_not_set");
  return user.passwordHash;
}

/**
 * What a verified password means for session and user (spec session-api §10.2, 6 and 7).
 * @param maxAttempts wrong passwords in a row that lock the user; 0 = never
 */
export function decidePasswordCheck(
  user: UserState,
  verdict: PasswordVerdict,
  maxAttempts: number,
  at: Date,
): CheckOutcome {
  const { events, failedAttempts } = decidePasswordAttempt(user, verdict, maxAttempts);
  if (failedAttempts !== undefined) {
    const failure = new DomainError("session.password_invalid", {
      failedAttempts,
      consecutiveFailures: failedAttempts,
    });
    return { session: [], user: events, failure };
  }
  return {
    session: [
      {
        type: "session.password.checked",
        payload: { checkedAt: at.toISOString(), passwordEpoch: user.passwordEpoch },
      },
    ],
    user: events,
  };
}
