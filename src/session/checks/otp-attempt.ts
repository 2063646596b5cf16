import { DomainError, type ErrorSlug } from "../../errors.ts";
import type { FailedAttempts } from "../../storage/tables.ts";
import type { UserEvent } from "../../user/events.ts";
import type { UserState } from "../../user/user.ts";
import type { CheckOutcome } from "./outcome.ts";

/** How each counted factor's events begin. */
const factorEvents = {
  totp: "user.human.mfa.otp",
  otpSms: "user.human.mfa.otp.sms",
  otpEmail: "user.human.mfa.otp.email",
  recoveryCode: "user.human.mfa.recoverycode",
} as const satisfies { readonly [factor in keyof FailedAttempts]-?: string };

/**
 * A wrong answer: one failed attempt more of this factor, which at the limit locks the user (spec user-slice §18.3).
 * @param maxAttempts wrong answers of one factor in a row that lock; 0 = never
 */
export function wrongAnswer(
  { status, failedAttempts }: UserState,
  factor: keyof typeof factorEvents,
  slug: ErrorSlug,
  maxAttempts: number,
): CheckOutcome {
  const failures = (failedAttempts[factor] ?? 0) + 1;
  const events: UserEvent[] = [{ type: `${factorEvents[factor]}.check.failed`, payload: {} }];
  // Who was deactivated a moment ago stays so: a lock could be undone by those who unlock.
  const locks = status === "active" && maxAttempts > 0 && failures >= maxAttempts;
  if (locks) events.push({ type: "user.locked", payload: {} });
  return { session: [], user: events, failure: new DomainError(slug, { consecutiveFailures: failures }) };
}
