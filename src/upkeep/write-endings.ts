import { type EndingState, endingAggregate } from "../session/ending/ending.ts";
import { overdueEnding } from "../session/ending/overdue.ts";
import { type SessionState, sessionAggregate } from "../session/session.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { EndReason, SessionEnding } from "../storage/tables.ts";
import type { Step, UpkeepRepository } from "../storage/upkeep-repository.ts";

/** What writing endings down takes. */
export type UpkeepDependencies = {
  events: EventRepository;
  upkeep: UpkeepRepository;
  /** Hears of every ending written down here. */
  onEnded: (reason: EndReason) => void;
};

/** A step of this many sessions takes some ten milliseconds, and that long other changes of them wait. */
export const BATCH = 200;

/**
 * One step of the sessions that acts on users ended: their events, and out of the indexes over those in view.
 * @returns how many, and whether there may be more
 */
export async function writeUserEndings(
  dependencies: UpkeepDependencies,
): Promise<{ more: boolean; done: number }> {
  const { upkeep } = dependencies;
  return upkeep.step(async (step) => {
    const act = await upkeep.openUserEnding(step);
    if (act === undefined) return { more: false, done: 0 };
    const records = await upkeep.sessionsOfEpoch(step, act, BATCH);
    await writeDown(dependencies, step, records);
    // What somebody else has locked is looked at again the next time.
    const isFinished = records.length < BATCH && (await upkeep.finishUserEnding(step, act));
    return { more: isFinished || records.length > 0, done: records.length };
  });
}

/**
 * One step of a bulk ending, and its completion with the last.
 * @param id this one; by default the oldest that nobody works on
 */
export async function writeEndings(
  dependencies: UpkeepDependencies,
  id?: string,
): Promise<{ more: boolean; done: number }> {
  const { upkeep } = dependencies;
  return upkeep.step(async (step) => {
    const ending = await upkeep.openEnding(step, id);
    if (ending === undefined) return { more: false, done: 0 };
    const records = await upkeep.reachedSessions(step, ending, BATCH);
    const progressed = await writeDown(dependencies, step, records, (written) => {
      const ended = written.filter((each) => each.ending.operationId === ending.id).length;
      return ended === 0
        ? undefined
        : change(
            endingAggregate,
            ending,
            [{ type: "ending.progressed", payload: { ended } }],
            ending.actorId,
          );
    });
    // Sessions that somebody else has locked were passed over, but they are there still.
    if (records.length < BATCH && !(await upkeep.isAnyReached(step, ending))) {
      const state = (progressed?.state as EndingState | undefined) ?? ending;
      const completed = change(
        endingAggregate,
        state,
        [{ type: "ending.completed", payload: {} }],
        ending.actorId,
      );
      await dependencies.events.appendWithin(step, [[completed]]);
      return { more: true, done: records.length };
    }
    return { more: records.length > 0, done: records.length };
  });
}

type Written = { ending: SessionEnding; change: Change; wasActive: boolean };

/**
 * Writes down what has ended each of these sessions, in one append with what else that means.
 * @returns the other change
 */
export async function writeDown(
  { events, upkeep, onEnded }: UpkeepDependencies,
  step: Step,
  records: readonly SessionRecord[],
  also: (written: readonly Written[]) => Change | undefined = () => undefined,
): Promise<Change | undefined> {
  const acts = await upkeep.actsOn(step, records);
  const written: Written[] = [];
  for (const record of records) {
    const { session, user } = record;
    const isOver = user?.sessionEpoch !== session.userEpoch;
    const act = acts.find(({ userId, epoch }) => userId === session.userId && epoch === session.userEpoch);
    const overdue = overdueEnding(record, isOver ? act : undefined);
    if (overdue === undefined) continue;
    const ended = change(sessionAggregate, session, overdue.events, overdue.actorId);
    written.push({ ending: ended.state.ending!, change: ended, wasActive: session.status === "active" });
  }
  const other = also(written);
  if (written.length === 0) return undefined;
  await events.appendWithin(step, [[...written.map((each) => each.change), ...(other ? [other] : [])]]);
  const gone = written.filter((each) => (each.change.state as SessionState).status === "terminated");
  await upkeep.archive(
    step,
    gone.map((each) => each.change.id),
  );
  for (const { ending, wasActive } of written) if (wasActive) onEnded(ending.reason);
  return other;
}
