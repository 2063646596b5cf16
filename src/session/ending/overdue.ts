import type { SessionRecord, SessionRepository } from "../../storage/session-repository.ts";
import type { UserAct } from "../../storage/session-search.ts";
import type { SessionEnding, UserEndingRow } from "../../storage/tables.ts";
import type { SessionEvent } from "../events.ts";
import { reaches } from "./reach.ts";

/** Who time acts as. */
export const TIME = "system";

/** How a session ended, and when. */
export type Ended = SessionEnding & { at: Date };

/** An ending that has happened, and what is still to be written down about it. */
export type OverdueEnding = {
  ending: Ended;
  events: SessionEvent[];
  /** Whose act the events record. */
  actorId: string;
};

/**
 * What has ended a session, or taken it out of view, without an event in its stream yet. Of several the first counts.
 * The same in SQL: `storage/session-standing-sql.ts`. The two change together.
 * @param act what ended the user's sessions of its epoch, see {@link userEndingOf}
 * @returns undefined if the stream says all there is to say
 */
export function overdueEnding(
  { session, now, endings }: SessionRecord,
  act: UserAct | undefined,
): OverdueEnding | undefined {
  const dismissed: SessionEvent = { type: "session.dismissed", payload: {} };
  if (session.status === "expired" && act) {
    return { ending: endedAs(session)!, events: [dismissed], actorId: act.actorId };
  }
  if (session.status !== "active") return undefined;
  const causes: Ended[] = endings
    .filter((ending) => reaches(ending, session))
    .map(({ id, actorId, createdAt }) => ({
      reason: "ended_by_filter",
      actorId,
      operationId: id,
      at: createdAt,
    }));
  if (act) causes.push({ reason: act.reason, actorId: act.actorId, at: act.endedAt });
  if (session.expiresAt !== null && session.expiresAt < now) {
    causes.push({ reason: "expired", actorId: null, at: session.expiresAt });
  }
  const [first] = causes.sort((a, b) => a.at.getTime() - b.at.getTime() || byOperation(a, b));
  if (first === undefined) return undefined;
  const { reason, actorId, at, operationId } = first;
  if (reason === "expired") {
    const events: SessionEvent[] = [{ type: "session.expired", payload: {} }];
    // Shown no longer, as everything else of that user.
    return act
      ? { ending: first, events: [...events, dismissed], actorId: act.actorId }
      : { ending: first, events, actorId: TIME };
  }
  const payload = { reason, endedAt: at.toISOString(), ...(operationId ? { operationId } : {}) };
  return { ending: first, events: [{ type: "session.terminated", payload }], actorId: actorId! };
}

/** Of bulk endings that began in the same millisecond everybody must name the same one. */
function byOperation({ operationId: a }: Ended, { operationId: b }: Ended): number {
  return a === undefined || b === undefined || a === b ? 0 : a < b ? -1 : 1;
}

/** The act that ended the sessions of this one's user and epoch, if there was one. */
export async function userEndingOf(
  sessions: SessionRepository,
  { session, user }: Pick<SessionRecord, "session" | "user">,
): Promise<UserEndingRow | undefined> {
  const { userId, userEpoch } = session;
  if (userId === null || userEpoch === null || user?.sessionEpoch === userEpoch) return undefined;
  return sessions.userEnding(userId, userEpoch);
}

/** How a session ended, written down or not. @param act see {@link userEndingOf} */
export function endingOf(record: SessionRecord, act: UserAct | undefined): Ended | undefined {
  return overdueEnding(record, act)?.ending ?? endedAs(record.session);
}

/** How a session ended, as far as its stream says. */
export function endedAs({ ending, endedAt }: SessionRecord["session"]): Ended | undefined {
  return ending && endedAt ? { ...ending, at: endedAt } : undefined;
}
