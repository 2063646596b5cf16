import { DomainError } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { type SessionState, sessionAggregate } from "./session.ts";

/** The challenge a message carried the code of, by the name the message has for it. */
export type OtpPart = "otp_sms" | "otp_email";

/**
 * What the session hears when its code was sent; nothing if it waits for none any more, because the code was used
 * meanwhile or the session has ended.
 * @returns changes to append together with whatever else the delivery leaves behind
 */
export async function otpSentChanges(
  { sessions }: Pick<SessionDependencies, "sessions">,
  sessionId: string,
  part: OtpPart,
  actorId: string,
  verificationId?: string,
): Promise<Change[]> {
  const session = (await sessions.find(sessionId))?.session;
  if (session === undefined || !waitsFor(session, part)) return [];
  return [change(sessionAggregate, session, [decideOtpSent(session, part, verificationId)], actorId)];
}

/**
 * @param verificationId of a code made elsewhere: what its maker knows it by
 * @throws DomainError `session.otp_sms_sent_no_challenge`, `session.otp_email_sent_no_challenge`
 */
export function decideOtpSent(session: SessionState, part: OtpPart, verificationId?: string): SessionEvent {
  const { sent, noChallenge } = parts[part];
  if (!waitsFor(session, part)) throw new DomainError(noChallenge);
  return part === "otp_sms" && verificationId !== undefined
    ? { type: "session.otp.sms.sent", payload: { verificationId } }
    : { type: sent, payload: {} };
}

const parts = {
  otp_sms: {
    challenge: "otpSms",
    sent: "session.otp.sms.sent",
    noChallenge: "session.otp_sms_sent_no_challenge",
  },
  otp_email: {
    challenge: "otpEmail",
    sent: "session.otp.email.sent",
    noChallenge: "session.otp_email_sent_no_challenge",
  },
} as const;

function waitsFor({ status, challenges }: SessionState, part: OtpPart): boolean {
  return status === "active" && challenges[parts[part].challenge] !== undefined;
}
