import { DomainError } from "../errors.ts";
import type { Recorded } from "../storage/aggregate.ts";
import type { SessionHit } from "../storage/session-search.ts";
import type { UserEvent } from "../user/events.ts";
import { initialUser, type UserState, userAggregate } from "../user/user.ts";
import { endingOf } from "./ending/overdue.ts";
import type { SessionEvent } from "./events.ts";
import type { KnownSession } from "./search-sessions.ts";
import { initialSession, type Standing, sessionAggregate } from "./session.ts";

/** Everything that happened to a session and to its user, oldest first. */
export type History = {
  session: readonly Recorded<SessionEvent>[];
  user: readonly Recorded<UserEvent>[];
};

/**
 * A session as it was, with its user's names and factors as they were. A session ends once: what is known of its ending
 * now was true from its time on, also where the event of it came later or is not there yet.
 * @param hit the session as it is
 * @param at a time to come counts as now
 * @returns undefined if it was not there yet
 * @throws DomainError `session.history_folded` for a time of which only the session's end is known
 */
export function sessionAsOf(hit: SessionHit, history: History, at: Date): KnownSession | undefined {
  const { session: current, now, endings } = hit.record;
  if (at < current.createdAt) return undefined;
  const [first] = history.session;
  if (first?.type === "session.summarized" && at < first.createdAt) {
    throw new DomainError("session.history_folded");
  }
  const session = upTo(at, history.session).reduce(sessionAggregate.evolve, initialSession(current.id));
  const user = session.userId === null ? null : userAsOf(session.userId, history.user, at);
  const ended = endingOf(hit.record, hit.act);
  const isOver = ended !== undefined && (ended.reason === "expired" ? ended.at < at : ended.at <= at);
  const record = { session, user, now: at < now ? at : now, endings };
  if (!isOver) return { record, standing: "active", ended: undefined };
  return { record, standing: standingAt(hit, session.status, ended.reason, at), ended };
}

/** Of a session that is over. An expired one is so until it is dismissed, or its user's sessions are ended. */
function standingAt({ act }: SessionHit, written: string, reason: string, at: Date): Standing {
  const isGone = written === "terminated" || (act !== undefined && act.endedAt <= at);
  return reason === "expired" && !isGone ? "expired" : "ended";
}

function userAsOf(id: string, events: readonly Recorded<UserEvent>[], at: Date) {
  const user: UserState = upTo(at, events).reduce(userAggregate.evolve, initialUser(id));
  const { status, sessionEpoch, passwordEpoch, username, displayName } = user;
  return { status, sessionEpoch, passwordEpoch, loginName: username, displayName: displayName ?? "" };
}

function upTo<E>(at: Date, events: readonly (E & { createdAt: Date })[]): (E & { createdAt: Date })[] {
  return events.filter(({ createdAt }) => createdAt <= at);
}
