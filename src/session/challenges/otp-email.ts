import { DomainError } from "../../errors.ts";
import { readUrlTemplate } from "../../notify/url-template.ts";
import type { SessionDependencies } from "../dependencies.ts";
import { newOtp, otpParts, otpVariables } from "./otp-code.ts";
import type { ChallengeContext, ChallengeOutcome } from "./run-challenges.ts";

/** @throws DomainError `notification.url_template_malformed`, `notification.url_template_variable_unknown` */
export function checkUrlTemplate(urlTemplate: string | undefined): void {
  if (urlTemplate !== undefined) readUrlTemplate("otpEmail", urlTemplate);
}

/**
 * A code by e-mail, to the address last verified (spec session-api §11.3); or back to the caller, and nobody else.
 * @param request.urlTemplate of the link in the mail, checked by {@link checkUrlTemplate}
 * @throws DomainError `session.otp_email_challenge_without_user`, `session.otp_email_challenge_not_ready`
 */
export async function challengeOtpEmail(
  dependencies: SessionDependencies,
  { sessionId, user, at, actorId }: ChallengeContext,
  { returnCode, urlTemplate }: { returnCode: boolean; urlTemplate?: string | undefined },
): Promise<ChallengeOutcome> {
  if (user === undefined) throw new DomainError("session.otp_email_challenge_without_user");
  if (!user.otpEmail) throw new DomainError("session.otp_email_challenge_not_ready");
  const { code, sealed, expiresAt } = await newOtp(dependencies, "otpEmail", sessionId, at);
  const payload = {
    code: sealed,
    expiresAt: expiresAt.toISOString(),
    returnCode,
    ...(urlTemplate === undefined ? {} : { urlTmpl: urlTemplate }),
  };
  const session = [{ type: "session.otp.email.challenged" as const, payload }];
  if (returnCode) return { session, others: [], answer: { otpEmail: code } };
  const others = await dependencies.notifications.prepare(
    {
      kind: "VerifyEmailOTP",
      channel: "email",
      about: { type: "session", id: sessionId, part: otpParts.otpEmail },
      recipient: user.verifiedEmail!,
      code,
      expiresAt,
      urlTemplate,
      variables: otpVariables(user, sessionId),
    },
    actorId,
  );
  return { session, others, answer: {} };
}
