import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { mayEnd } from "./permissions.ts";
import { type SessionState, sessionAggregate } from "./session.ts";
import { isCurrent } from "./session-token.ts";

export type DeleteSession = { sessionId: string; token?: string };

/**
 * Ends a session: one's own, by its token, or by permission. Ending it again answers the details of the first ending.
 * @throws DomainError `session.token_invalid` (a token was given; permissions do not help then),
 *   `auth.permission_denied`, `session.not_found` for callers who may end any session
 */
export function deleteSession(
  dependencies: SessionDependencies,
  caller: Caller,
  command: DeleteSession,
): Promise<Details> {
  const { events, sessions, instanceId } = dependencies;
  return events.decide(command.sessionId, async () => {
    const record = await sessions.find(command.sessionId);
    const session = authorized(dependencies, caller, command, record);
    const ending = decideDelete(session);
    if (ending.length === 0) return detailsOf(session, instanceId);
    const ended = change(sessionAggregate, session, ending, caller.userId);
    return detailsOf(ended.state, instanceId, await events.append([ended]));
  });
}

// Ending what has ended is no error: the caller wanted it gone, and it is. An expired session can still be ended.
export function decideDelete(session: SessionState): SessionEvent[] {
  return session.status === "active" ? [{ type: "session.terminated", payload: {} }] : [];
}

function authorized(
  { tokens }: SessionDependencies,
  caller: Caller,
  { token }: DeleteSession,
  record: SessionRecord | undefined,
): SessionState {
  if (token) {
    const genuine = tokens.read(token);
    if (!record || !genuine || !isCurrent(genuine, record.session))
      throw new DomainError("session.token_invalid");
    return record.session;
  }
  if (!mayEnd(caller, record?.session)) throw new DomainError("auth.permission_denied");
  if (!record) throw new DomainError("session.not_found");
  return record.session;
}
