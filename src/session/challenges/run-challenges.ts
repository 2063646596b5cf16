import type { Change } from "../../storage/aggregate.ts";
import type { UserVerification } from "../../storage/tables.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import type { SessionEvent } from "../events.ts";

/** The challenges one request asks for. */
export type ChallengeRequests = {
  webAuthN?: { domain: string; userVerification: UserVerification };
  otpSms?: { returnCode: boolean };
  /** `urlTemplate`: of the link in the mail; the server's own without it. */
  otpEmail?: { returnCode: boolean; urlTemplate?: string | undefined };
};

/** What the caller needs to answer them. A code only where it was to be returned. */
export type ChallengeAnswers = {
  /** `{publicKey: …}` for `navigator.credentials.get()`, binary values base64url. */
  webAuthN?: object;
  otpSms?: string;
  otpEmail?: string;
};

/** What a challenge is made of. */
export type ChallengeContext = {
  sessionId: string;
  /** The session's user, after the checks of the same request; undefined: none yet. */
  user: UserState | undefined;
  /** The moment of the request, by the application's clock. */
  at: Date;
  actorId: string;
};

/** What a challenge leaves in the session, what else is stored with it (a message to send), and its answer. */
export type ChallengeOutcome = { session: SessionEvent[]; others: Change[]; answer: ChallengeAnswers };

type Challenge = (context: ChallengeContext) => Promise<ChallengeOutcome>;

/**
 * Makes the challenges in their fixed order, after all checks. A new challenge of a kind voids the open one.
 * @throws DomainError what a challenge is refused with; nothing of the request is stored then
 */
export async function runChallenges(
  dependencies: SessionDependencies,
  context: ChallengeContext,
  requests: ChallengeRequests,
): Promise<ChallengeOutcome> {
  const made: ChallengeOutcome = { session: [], others: [], answer: {} };
  for (const challenge of challengesOf(dependencies, requests)) {
    const { session, others, answer } = await challenge(context);
    made.session.push(...session);
    made.others.push(...others);
    Object.assign(made.answer, answer);
  }
  return made;
}

function challengesOf(_dependencies: SessionDependencies, _requests: ChallengeRequests): Challenge[] {
  return [];
}
