import { DomainError } from "../../errors.ts";
import type { SessionDependencies } from "../dependencies.ts";
import { newOtp, otpParts, otpVariables } from "./otp-code.ts";
import type { ChallengeContext, ChallengeOutcome } from "./run-challenges.ts";

/**
 * A code by SMS, to the number last verified (spec session-api §11.2); or back to the caller, and nobody else.
 * @throws DomainError `session.otp_sms_challenge_without_user`, `session.otp_sms_challenge_not_ready`
 */
export async function challengeOtpSms(
  dependencies: SessionDependencies,
  { sessionId, user, at, actorId }: ChallengeContext,
  { returnCode }: { returnCode: boolean },
): Promise<ChallengeOutcome> {
  if (user === undefined) throw new DomainError("session.otp_sms_challenge_without_user");
  if (!user.otpSms) throw new DomainError("session.otp_sms_challenge_not_ready");
  const { code, sealed, expiresAt } = await newOtp(dependencies, "otpSms", sessionId, at);
  const payload = { code: sealed, expiresAt: expiresAt.toISOString(), codeReturned: returnCode };
  const session = [{ type: "session.otp.sms.challenged" as const, payload }];
  if (returnCode) return { session, others: [], answer: { otpSms: code } };
  const others = await dependencies.notifications.prepare(
    {
      kind: "VerifySMSOTP",
      channel: "sms",
      about: { type: "session", id: sessionId, part: otpParts.otpSms },
      recipient: user.verifiedPhone!,
      code,
      expiresAt,
      variables: otpVariables(user, sessionId),
    },
    actorId,
  );
  return { session, others, answer: {} };
}
