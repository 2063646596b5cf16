import { DomainError } from "../../errors.ts";
import { openTotpSecret } from "../../user/totp.ts";
import { matchingStep } from "../../user/totp-code.ts";
import type { UserState } from "../../user/user.ts";
import { wrongAnswer } from "./otp-attempt.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";

/** The authenticator app: a code of the present time step or a neighbour, newer than every code accepted before. */
export async function checkTotp(
  { user, at, lockout }: CheckContext,
  code: string,
  encryptionKey: Uint8Array,
): Promise<CheckOutcome> {
  const { id, totp } = readyForTotp(user);
  const step = matchingStep(openTotpSecret(encryptionKey, id, totp), code, at, totp.lastStep);
  const { maxOtpAttempts } = step === undefined ? await lockout() : { maxOtpAttempts: 0 };
  return decideTotpCheck(user!, step, maxOtpAttempts, at);
}

type Totp = NonNullable<UserState["totp"]>;

/**
 * Refuses a check that could not succeed whatever the code (spec session-api §10.5); a lock wins over a right one.
 * @throws DomainError `session.totp_without_user`, `session.totp_not_ready`, `session.totp_locked`
 */
export function readyForTotp(user: UserState | undefined): { id: string; totp: Totp } {
  if (user === undefined) throw new DomainError("session.totp_without_user");
  if (!user.totp?.ready) throw new DomainError("session.totp_not_ready");
  if (user.status === "locked") throw new DomainError("session.totp_locked");
  return { id: user.id, totp: user.totp };
}

/**
 * What a tried code means for session and user.
 * @param step the time step of the code; undefined if it is wrong, or was used before
 * @param maxAttempts wrong codes in a row that lock the user; 0 = never
 */
export function decideTotpCheck(
  user: UserState,
  step: number | undefined,
  maxAttempts: number,
  at: Date,
): CheckOutcome {
  if (step === undefined) return wrongAnswer(user, "totp", "session.totp_invalid", maxAttempts);
  return {
    session: [{ type: "session.totp.checked", payload: { checkedAt: at.toISOString() } }],
    user: [{ type: "user.human.mfa.otp.check.succeeded", payload: { step } }],
  };
}
