import { DomainError } from "../../errors.ts";
import type { VerificationVerdict } from "../../notify/twilio-verify.ts";
import type { GeneratedOtpChallenge, OtpChallenge, OwnOtpChallenge } from "../../storage/tables.ts";
import type { OtpFactor } from "../../user/otp-factors.ts";
import type { UserState } from "../../user/user.ts";
import { isOtp } from "../challenges/otp-code.ts";
import type { SessionEvent } from "../events.ts";
import type { SessionState } from "../session.ts";
import { wrongAnswer } from "./otp-attempt.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";
import type { CodeVerification } from "./verifications.ts";

/**
 * A code that was sent, or returned to the caller: the newest of this session, and only once. A code the provider made
 * is used up there when the provider finds it right, even if another check of the same request then fails.
 */
export async function checkOtp(
  { session, user, at, lockout }: CheckContext,
  factor: OtpFactor,
  code: string,
  encryptionKey: Uint8Array,
  askGenerator: CodeVerification,
): Promise<CheckOutcome> {
  const challenge = openOtpChallenge(session, user, factor, code);
  const verdict = await otpVerdict(challenge, at, {
    isOwn: (sealed) => isOtp(encryptionKey, factor, session.id, sealed, code),
    ask: ({ generatorId, verificationId }) => askGenerator(generatorId, verificationId, code),
  });
  const { maxOtpAttempts } = verdict === "right" ? { maxOtpAttempts: 0 } : await lockout();
  return decideOtpCheck(user!, factor, verdict, maxOtpAttempts, at);
}

/**
 * Refuses a check that could not succeed whatever the code (spec session-api §10.6); a lock wins over a right one.
 * @throws DomainError `session.otp_without_user`, `session.otp_code_empty`, `session.otp_not_ready`,
 *   `session.otp_no_challenge`, `session.otp_locked`
 */
export function openOtpChallenge(
  { challenges }: SessionState,
  user: UserState | undefined,
  factor: OtpFactor,
  code: string,
): OpenOtp {
  if (user === undefined) throw new DomainError("session.otp_without_user");
  if (code === "") throw new DomainError("session.otp_code_empty");
  if (!user[factor]) throw new DomainError("session.otp_not_ready");
  const challenge = challenges[factor];
  if (challenge === undefined || !isOpen(challenge)) throw new DomainError("session.otp_no_challenge");
  if (user.status === "locked") throw new DomainError("session.otp_locked");
  return challenge;
}

/** A challenge there is a code for: the provider that makes one has sent it. */
export type OpenOtp = OwnOtpChallenge | SentOtp;
type SentOtp = Required<GeneratedOtpChallenge>;

const isOpen = (challenge: OtpChallenge): challenge is OpenOtp =>
  challenge.code !== null || challenge.verificationId !== undefined;

export type OtpVerdict = "right" | "wrong" | "expired";

/** Who knows whether the code is right: this server by what it has sealed, or the provider that made it. */
export type OtpJudges = {
  isOwn(sealed: string): boolean;
  ask(challenge: SentOtp): Promise<VerificationVerdict>;
};

/**
 * A code that has expired is told so, right or wrong: it would not help to know which.
 * @throws DomainError `session.otp_provider_unavailable`: nobody knows, so it is no failed attempt
 */
export async function otpVerdict(challenge: OpenOtp, at: Date, judges: OtpJudges): Promise<OtpVerdict> {
  if (new Date(challenge.expiresAt) < at) return "expired";
  if (challenge.code !== null) return judges.isOwn(challenge.code) ? "right" : "wrong";
  const verdict = await judges.ask(challenge);
  switch (verdict.outcome) {
    case "approved":
      return "right";
    case "wrong":
      return "wrong";
    case "gone":
      return "expired";
    case "unavailable":
      throw new DomainError("session.otp_provider_unavailable", { cause: new Error(verdict.reason) });
  }
}

/** The fact each factor leaves in the session. */
const checked = {
  otpSms: { session: "session.otp.sms.checked", user: "user.human.mfa.otp.sms.check.succeeded" },
  otpEmail: { session: "session.otp.email.checked", user: "user.human.mfa.otp.email.check.succeeded" },
} as const;

/**
 * What a tried code means for session and user. An expired one is a failed attempt as a wrong one is; the challenge
 * stays open for both, so what bounds the guesses is the lock and the expiry.
 * @param maxAttempts wrong codes in a row that lock the user; 0 = never
 */
export function decideOtpCheck(
  user: UserState,
  factor: OtpFactor,
  verdict: OtpVerdict,
  maxAttempts: number,
  at: Date,
): CheckOutcome {
  if (verdict !== "right") {
    const slug = verdict === "expired" ? "session.otp_expired" : "session.otp_invalid";
    return wrongAnswer(user, factor, slug, maxAttempts);
  }
  const proven: SessionEvent = { type: checked[factor].session, payload: { checkedAt: at.toISOString() } };
  return { session: [proven], user: [{ type: checked[factor].user, payload: {} }] };
}
