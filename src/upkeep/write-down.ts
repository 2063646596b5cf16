import { overdueEnding } from "../session/ending/overdue.ts";
import { type SessionState, sessionAggregate } from "../session/session.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { EndReason } from "../storage/tables.ts";
import type { Committed, Step, UpkeepRepository } from "../storage/upkeep-repository.ts";

/** What writing endings down takes. */
export type EndingDependencies = {
  events: EventRepository;
  upkeep: UpkeepRepository;
  /** Hears of every ending written down here. */
  onEnded: (reason: EndReason) => void;
};

/** Sessions a step writes down at most; so long other changes of them wait. */
export const BATCH = 100;

/**
 * Writes down what has ended each of these sessions, in one append.
 *
 * What a bulk ending ended is written by that one's own steps, since they count: whoever else comes across it leaves it.
 * @param operation.id the bulk ending whose step this is
 * @param operation.counted what else is to be appended, for so many sessions it has ended
 * @returns how many sessions have their event now, and the further change
 */
export async function writeDown(
  { events, upkeep, onEnded }: EndingDependencies,
  step: Step,
  committed: Committed,
  records: readonly SessionRecord[],
  operation?: { id: string; counted(ended: number): Change },
): Promise<{ done: number; counted: Change | undefined }> {
  const acts = await upkeep.actsOn(step, records);
  const changes: Change[] = [];
  const reasons: EndReason[] = [];
  let ended = 0;
  for (const record of records) {
    const { session, user } = record;
    const isOver = user?.sessionEpoch !== session.userEpoch;
    const act = acts.find(({ userId, epoch }) => userId === session.userId && epoch === session.userEpoch);
    const overdue = overdueEnding(record, isOver ? act : undefined);
    if (overdue === undefined) continue;
    const { operationId, reason } = overdue.ending;
    // An expired session that is only taken out of view has been counted before.
    if (session.status === "active") {
      if (operationId !== operation?.id && operationId !== undefined) continue;
      if (operationId !== undefined) ended += 1;
      reasons.push(reason);
    }
    changes.push(change(sessionAggregate, session, overdue.events, overdue.actorId));
  }
  if (changes.length === 0) return { done: 0, counted: undefined };
  const counted = ended > 0 ? operation?.counted(ended) : undefined;
  await events.appendWithin(step, [[...changes, ...(counted ? [counted] : [])]]);
  const gone = changes.filter(({ state }) => (state as SessionState).status === "terminated");
  await upkeep.archive(
    step,
    gone.map(({ id }) => id),
  );
  committed(() => reasons.forEach(onEnded));
  return { done: changes.length, counted };
}
