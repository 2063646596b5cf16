import { type EndingEvent, type EndingState, endingAggregate } from "../session/ending/ending.ts";
import { change } from "../storage/aggregate.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { Committed, Step } from "../storage/upkeep-repository.ts";
import { takeTurns } from "./take-turns.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";
import { BATCH, type EndingDependencies, writeDown } from "./write-down.ts";

/** Writes down which sessions bulk endings ended. One server works on one of them at a time, so what it counts adds up. */
export class BulkEndings {
  readonly #dependencies: EndingDependencies;
  /** The last session looked at, by ending: not to search anew past those the filter leaves out. */
  readonly #places = new Map<string, { createdAt: Date; id: string }>();
  readonly run: UpkeepTask["run"];

  constructor(dependencies: EndingDependencies) {
    this.#dependencies = dependencies;
    const { upkeep } = dependencies;
    this.run = takeTurns<EndingState>(upkeep, {
      next: (step, after) => upkeep.openEnding(step, after),
      isAnyLeft: () => upkeep.isAnyEndingOpen(),
      work: (step, ending, committed) => this.#work(step, ending, committed),
    });
  }

  /** One step of this one right away. */
  async begin(id: string): Promise<void> {
    const { upkeep } = this.#dependencies;
    await upkeep.step(async (step, committed) => {
      const ending = await upkeep.lockEnding(step, id);
      if (ending !== undefined) await this.#work(step, ending, committed);
    });
  }

  /** Right away what it did to this session, if it did anything. */
  async write(id: string, sessionId: string): Promise<void> {
    const { upkeep } = this.#dependencies;
    await upkeep.step(async (step, committed) => {
      const ending = await upkeep.lockEnding(step, id);
      const record = ending && (await upkeep.lockSession(step, sessionId));
      if (record !== undefined) await this.#writeDown(step, ending!, committed, [record]);
    });
  }

  async #work(step: Step, ending: EndingState, committed: Committed): Promise<number> {
    const { events, upkeep } = this.#dependencies;
    const records = await upkeep.reachedSessions(step, ending, this.#places.get(ending.id), BATCH);
    const { done, state } = await this.#writeDown(step, ending, committed, records);
    if (records.length === BATCH) {
      const { createdAt, id } = records.at(-1)!.session;
      this.#places.set(ending.id, { createdAt, id });
      return done;
    }
    this.#places.delete(ending.id);
    // Sessions that somebody else has locked were passed over, but they are there still.
    if (!(await upkeep.isAnyReached(step, ending))) {
      await events.appendWithin(step, [[next(state, { type: "ending.completed", payload: {} })]]);
    }
    return done;
  }

  async #writeDown(
    step: Step,
    ending: EndingState,
    committed: Committed,
    records: readonly SessionRecord[],
  ): Promise<{ done: number; state: EndingState }> {
    const { done, counted } = await writeDown(this.#dependencies, step, committed, records, {
      id: ending.id,
      counted: (ended) => next(ending, { type: "ending.progressed", payload: { ended } }),
    });
    return { done, state: (counted?.state as EndingState | undefined) ?? ending };
  }
}

const next = (ending: EndingState, event: EndingEvent) =>
  change(endingAggregate, ending, [event], ending.actorId);
