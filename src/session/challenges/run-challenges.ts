import type { Change } from "../../storage/aggregate.ts";
import type { UserVerification } from "../../storage/tables.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import type { SessionEvent } from "../events.ts";
import { challengeOtpEmail, checkUrlTemplate } from "./otp-email.ts";
import { challengeOtpSms } from "./otp-sms.ts";
import { challengeWebAuthN } from "./web-authn.ts";

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

type Challenge = (context: ChallengeContext) => ChallengeOutcome | Promise<ChallengeOutcome>;

/**
 * Refuses what no session could make a challenge of, before any check runs: a request that asks for nonsense spends no
 * attempt (spec session-api §5.1, 3).
 * @throws DomainError `notification.url_template_malformed`, `notification.url_template_variable_unknown`
 */
export function checkChallengeRequests({ otpEmail }: ChallengeRequests): void {
  checkUrlTemplate(otpEmail?.urlTemplate);
}

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

/** What is asked for, in the order it is made. */
function challengesOf(dependencies: SessionDependencies, requests: ChallengeRequests): Challenge[] {
  const { webAuthN, otpSms, otpEmail } = requests;
  const challenges: (Challenge | undefined)[] = [
    webAuthN && ((context) => challengeWebAuthN(context, webAuthN)),
    otpSms && ((context) => challengeOtpSms(dependencies, context, otpSms)),
    otpEmail && ((context) => challengeOtpEmail(dependencies, context, otpEmail)),
  ];
  return challenges.filter((challenge) => challenge !== undefined);
}
