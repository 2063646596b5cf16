import { uuidV7 } from "../../crypto/random-ids.ts";
import { DomainError } from "../../errors.ts";
import type { OutgoingMessage } from "../../notification/notifications.ts";
import { VERIFICATION_LIFETIME_MS } from "../../notify/twilio-verify.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import { newOtp, otpParts, otpVariables } from "./otp-code.ts";
import type { ChallengeContext, ChallengeOutcome } from "./run-challenges.ts";

/**
 * A code by SMS, to the number last verified (spec session-api §11.2); or back to the caller, and nobody else. Where
 * the provider makes the codes there is none to return: whoever asks for it gets an empty text, and nothing is sent.
 * @throws DomainError `session.otp_sms_challenge_without_user`, `session.otp_sms_challenge_not_ready`
 */
export async function challengeOtpSms(
  dependencies: SessionDependencies,
  { sessionId, user, at, actorId }: ChallengeContext,
  { returnCode }: { returnCode: boolean },
): Promise<ChallengeOutcome> {
  const { codeGenerators, notifications } = dependencies;
  if (user === undefined) throw new DomainError("session.otp_sms_challenge_without_user");
  if (!user.otpSms) throw new DomainError("session.otp_sms_challenge_not_ready");
  const generatorId = await codeGenerators.active();
  const { stored, code, expiresAt } =
    generatorId === undefined ? await ownCode(dependencies, sessionId, at) : generatedCode(generatorId, at);
  const payload = { ...stored, expiresAt: expiresAt.toISOString(), codeReturned: returnCode };
  const session = [{ type: "session.otp.sms.challenged" as const, payload }];
  if (returnCode) {
    return { session, others: [], answer: { otpSms: typeof code === "string" ? code : "" } };
  }
  const message = messageTo(user, sessionId, code, expiresAt);
  return { session, others: await notifications.prepare(message, actorId), answer: {} };
}

async function ownCode(dependencies: SessionDependencies, sessionId: string, at: Date) {
  const { code, sealed, expiresAt } = await newOtp(dependencies, "otpSms", sessionId, at);
  return { stored: { code: sealed }, code, expiresAt };
}

function generatedCode(generatorId: string, at: Date) {
  const code = { generatorId, challengeId: uuidV7() };
  const expiresAt = new Date(at.getTime() + VERIFICATION_LIFETIME_MS);
  return { stored: { code: null, ...code }, code, expiresAt };
}

function messageTo(
  user: UserState,
  sessionId: string,
  code: OutgoingMessage["code"],
  expiresAt: Date,
): OutgoingMessage {
  return {
    kind: "VerifySMSOTP",
    channel: "sms",
    about: { type: "session", id: sessionId, part: otpParts.otpSms },
    recipient: user.verifiedPhone!,
    code,
    expiresAt,
    variables: otpVariables(user, sessionId),
  };
}
