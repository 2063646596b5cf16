import { COURIER, type CodeHolder, isSameCode } from "../notification/code-holder.ts";
import type { MessageSubject, StoredCode } from "../notification/notifications.ts";
import type { SessionRepository } from "../storage/session-repository.ts";
import type { OtpChallenge } from "../storage/tables.ts";
import { otpSentChanges } from "./otp-sent.ts";
import { standing } from "./session.ts";

type SessionSubject = Extract<MessageSubject, { type: "session" }>;

/** Where the codes of sessions wait, for whoever sends them. A session that is over waits for nothing. */
export function sessionCodes({ sessions }: { sessions: SessionRepository }): CodeHolder<SessionSubject> {
  const openCode = async ({ id, part }: SessionSubject): Promise<StoredCode | undefined> => {
    const record = await sessions.find(id);
    if (!record || standing(record) !== "active") return undefined;
    const { otpSms, otpEmail } = record.session.challenges;
    const challenge = part === "otp_sms" ? otpSms : otpEmail;
    return challenge && codeOf(challenge);
  };
  return {
    openCode,
    sent: async (about, code, verificationId) =>
      isSameCode(await openCode(about), code)
        ? otpSentChanges({ sessions }, about.id, about.part, COURIER, verificationId)
        : [],
  };
}

function codeOf(challenge: OtpChallenge): StoredCode {
  if (challenge.code !== null) return challenge.code;
  const { generatorId, challengeId } = challenge;
  return { generatorId, challengeId };
}
