import { COURIER, type CodeHolder } from "../notification/code-holder.ts";
import type { MessageSubject } from "../notification/notifications.ts";
import type { SessionRepository } from "../storage/session-repository.ts";
import { otpSentChanges } from "./otp-sent.ts";
import { standing } from "./session.ts";

type SessionSubject = Extract<MessageSubject, { type: "session" }>;

/** Where the codes of sessions wait, for whoever sends them. A session that is over waits for nothing. */
export function sessionCodes({ sessions }: { sessions: SessionRepository }): CodeHolder<SessionSubject> {
  const openCode = async ({ id, part }: SessionSubject): Promise<string | undefined> => {
    const record = await sessions.find(id);
    if (!record || standing(record.session, record.user, record.now) !== "active") return undefined;
    const { otpSms, otpEmail } = record.session.challenges;
    return (part === "otp_sms" ? otpSms : otpEmail)?.code ?? undefined;
  };
  return {
    openCode,
    sent: async (about, sealedCode) =>
      (await openCode(about)) === sealedCode
        ? otpSentChanges({ sessions }, about.id, about.part, COURIER)
        : [],
  };
}
