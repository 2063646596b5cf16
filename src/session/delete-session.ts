import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { ConflictError } from "../storage/database-errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { Entitlement } from "../storage/tables.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { type OverdueEnding, overdueEnding, userEndingOf } from "./ending/overdue.ts";
import type { SessionEvent } from "./events.ts";
import { mayEnd } from "./permissions.ts";
import { type SessionState, sessionAggregate } from "./session.ts";
import { isCurrent } from "./session-token.ts";

export type DeleteSession = { sessionId: string; token?: string };

/**
 * Ends a session: one's own, by its token, or by permission. Ending it again answers the details of the first ending.
 * @throws DomainError `session.token_invalid` (a token was given; permissions do not help then),
 *   `auth.permission_denied`, `session.not_found` for callers who may end any session
 * @param ahead the session, if somebody has asked for it since the command came in
 */
export function deleteSession(
  dependencies: SessionDependencies,
  caller: Caller,
  command: DeleteSession,
  ahead?: Promise<SessionRecord | undefined>,
): Promise<Details> {
  const { events, sessions, instanceId, writeEndings } = dependencies;
  let fresh = ahead;
  const details = events.decide(command.sessionId, async () => {
    const record = await (fresh ?? sessions.find(command.sessionId));
    const { session, entitlement } = authorized(dependencies, caller, command, record);
    const overdue = overdueEnding(record!, await userEndingOf(sessions, record!));
    const operationId = session.status === "active" ? overdue?.ending.operationId : undefined;
    if (operationId !== undefined) {
      // A bulk ending counts its sessions, so what it did is written by it; then there is something else to see.
      await writeEndings(operationId, session.id);
      throw new ConflictError("a bulk ending has ended the session");
    }
    const ending = decideDelete(session, overdue, entitlement);
    if (ending.length === 0) return detailsOf(session, instanceId);
    const ended = change(sessionAggregate, session, ending, overdue?.actorId ?? caller.userId);
    return detailsOf(ended.state, instanceId, await events.append([ended]));
  });
  // What does not begin at once waits its turn behind others' changes, or has lost a race to one.
  fresh = undefined;
  return details;
}

/**
 * Ending what has ended is no error: the caller wanted it gone, and it is. What ended it before stays the reason; an
 * expired session leaves the view.
 */
export function decideDelete(
  session: SessionState,
  overdue: OverdueEnding | undefined,
  entitlement: Entitlement,
): SessionEvent[] {
  const dismissed = { type: "session.dismissed", payload: {} } as const;
  if (session.status === "expired") return [dismissed];
  if (session.status !== "active") return [];
  if (overdue === undefined) return [{ type: "session.terminated", payload: { entitlement } }];
  return overdue.ending.reason === "expired" && overdue.events.length === 1
    ? [...overdue.events, dismissed]
    : overdue.events;
}

function authorized(
  { tokens }: SessionDependencies,
  caller: Caller,
  { token }: DeleteSession,
  record: SessionRecord | undefined,
): { session: SessionState; entitlement: Entitlement } {
  if (token) {
    const genuine = tokens.read(token);
    if (!record || !genuine || !isCurrent(genuine, record.session))
      throw new DomainError("session.token_invalid");
    return { session: record.session, entitlement: "token" };
  }
  if (!mayEnd(caller, record?.session)) throw new DomainError("auth.permission_denied");
  if (!record) throw new DomainError("session.not_found");
  const { session } = record;
  return { session, entitlement: session.userId === caller.userId ? "own" : "permission" };
}
