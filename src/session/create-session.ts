import type { Caller } from "../auth/caller.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import type { Details } from "../storage/details.ts";
import { heldBack } from "../user/tarpit.ts";
import type { ChallengeAnswers } from "./challenges/run-challenges.ts";
import { changeSession, type SessionChanges } from "./change-session.ts";
import { checkedUser, turnOf } from "./checks/turn.ts";
import { verificationsOf } from "./checks/verifications.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { mayCreate } from "./permissions.ts";
import { initialSession } from "./session.ts";
import { describeUserAgent, type UserAgentInput } from "./user-agent.ts";

export type CreateSession = SessionChanges & { userAgent?: UserAgentInput };

export type CreatedSession = {
  sessionId: string;
  token: string;
  details: Details;
  challenges: ChallengeAnswers;
};

/**
 * Opens a session; with no checks at all, an anonymous one. If a check fails there is no session.
 * @throws DomainError `auth.permission_denied` before any user is looked up, then what the checks refuse, and
 *   `session.limit_reached`
 */
export async function createSession(
  dependencies: SessionDependencies,
  caller: Caller,
  command: CreateSession,
): Promise<CreatedSession> {
  if (!mayCreate(caller)) throw new DomainError("auth.permission_denied");
  const added: SessionEvent = {
    type: "session.added",
    payload: command.userAgent ? { user_agent: describeUserAgent(command.userAgent) } : {},
  };
  const sessionId = uuidV7();
  const verifications = verificationsOf(dependencies);
  const created = await heldBack(dependencies.delay, () =>
    dependencies.events.decide(
      checkedUser(command.checks) ?? sessionId,
      () => changeSession(dependencies, caller, initialSession(sessionId), [added], command, verifications),
      turnOf(command.checks),
    ),
  );
  return { ...created, sessionId, token: created.token! };
}
