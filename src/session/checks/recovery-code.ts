import { DomainError } from "../../errors.ts";
import { recoveryCodeDigest } from "../../user/recovery-codes.ts";
import type { UserState } from "../../user/user.ts";
import { wrongAnswer } from "./otp-attempt.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";

/** A recovery code: one of those the user has left, and from then on no more. */
export async function checkRecoveryCode(
  { user, at, lockout }: CheckContext,
  code: string,
  recoveryCodeKey: Uint8Array,
): Promise<CheckOutcome> {
  const { id, recoveryCodes } = readyForRecoveryCode(user, code);
  const digest = recoveryCodeDigest(recoveryCodeKey, id, code);
  const matched = recoveryCodes.includes(digest) ? digest : undefined;
  const { maxOtpAttempts } = matched === undefined ? await lockout() : { maxOtpAttempts: 0 };
  return decideRecoveryCodeCheck(user!, matched, maxOtpAttempts, at);
}

/**
 * Refuses a check that could not succeed whatever the code (spec session-api §10.7). Codes that are all used up are
 * still codes: nobody learns how many are left.
 * @throws DomainError `session.recovery_code_empty`, `…_without_user`, `…_locked`, `…_not_ready`
 */
export function readyForRecoveryCode(
  user: UserState | undefined,
  code: string,
): { id: string; recoveryCodes: readonly string[] } {
  if (code === "") throw new DomainError("session.recovery_code_empty");
  if (user === undefined) throw new DomainError("session.recovery_code_without_user");
  if (user.status === "locked") throw new DomainError("session.recovery_code_locked");
  if (user.recoveryCodes === null) throw new DomainError("session.recovery_code_not_ready");
  return { id: user.id, recoveryCodes: user.recoveryCodes };
}

/**
 * What a tried code means for session and user.
 * @param matched the digest of the code, if it is one of the user's
 * @param maxAttempts wrong codes in a row that lock the user; 0 = never
 */
export function decideRecoveryCodeCheck(
  user: UserState,
  matched: string | undefined,
  maxAttempts: number,
  at: Date,
): CheckOutcome {
  if (matched === undefined) {
    return wrongAnswer(user, "recoveryCode", "session.recovery_code_invalid", maxAttempts);
  }
  return {
    session: [{ type: "session.recoveryCode.checked", payload: { checkedAt: at.toISOString() } }],
    user: [{ type: "user.human.mfa.recoverycode.check.succeeded", payload: { codeChecked: matched } }],
  };
}
