import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import type { Recorded } from "../storage/aggregate.ts";
import type { SessionHit } from "../storage/session-search.ts";
import type { UserEvent } from "../user/events.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { userEndingOf } from "./ending/overdue.ts";
import type { SessionEvent } from "./events.ts";
import { mayRead } from "./permissions.ts";
import { type KnownSession, known } from "./search-sessions.ts";
import { sessionAsOf } from "./session-as-of.ts";

/** `asOf`: undefined is now. */
export type ReadSession = { sessionId: string; asOf?: Date | undefined };

/**
 * Reads a session, an ended one too, as it is or as it was: as its creator, its user, from the same user agent, or by
 * `session.read`.
 * @throws DomainError `auth.permission_denied`, `session.not_found` for callers who may know, also before its creation;
 *   `session.history_folded`
 */
export async function readSession(
  dependencies: Pick<SessionDependencies, "sessions" | "events">,
  caller: Caller,
  { sessionId, asOf }: ReadSession,
): Promise<KnownSession> {
  const hit = await readableSession(dependencies, caller, sessionId);
  if (asOf === undefined) return known(hit);
  const { events } = dependencies;
  const { userId } = hit.record.session;
  const history = {
    session: (await events.readStream("session", sessionId)) as Recorded<SessionEvent>[],
    user: userId === null ? [] : ((await events.readStream("user", userId)) as Recorded<UserEvent>[]),
  };
  const found = sessionAsOf(hit, history, asOf);
  if (found === undefined) throw new DomainError("session.not_found");
  return found;
}

/** @throws DomainError `auth.permission_denied`, `session.not_found` */
export async function readableSession(
  { sessions }: Pick<SessionDependencies, "sessions">,
  caller: Caller,
  sessionId: string,
): Promise<SessionHit> {
  const record = await sessions.find(sessionId);
  if (!mayRead(caller, record?.session)) throw new DomainError("auth.permission_denied");
  if (record === undefined) throw new DomainError("session.not_found");
  return { record, act: await userEndingOf(sessions, record) };
}
