import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { StepResult, UpkeepTask } from "./upkeep-worker.ts";

const BATCH = 500;

/** Sessions that ended one by one and wait to be moved out of the indexes over those in view. */
export class Archiver {
  readonly #upkeep: UpkeepRepository;
  readonly #waiting = new Set<string>();

  constructor(upkeep: UpkeepRepository) {
    this.#upkeep = upkeep;
  }

  /** A session was ended on this server. */
  note(sessionId: string): void {
    this.#waiting.add(sessionId);
  }

  async run(): Promise<StepResult> {
    const ids = this.#waiting.values().take(BATCH).toArray();
    const done = await this.#upkeep.archiveNow(ids);
    // One that was locked just then is left to the walk.
    for (const id of ids) this.#waiting.delete(id);
    return { done, left: this.#waiting.size > 0 ? "more" : "nothing" };
  }
}

/** Walks over what is left in view of the sessions that ended on a server that did not live to archive them. */
export function archiveWalk(upkeep: UpkeepRepository): UpkeepTask["run"] {
  const start = { createdAt: new Date(0), id: "" };
  let place = start;
  return async () => {
    const { ended, last } = await upkeep.endedInView(place, BATCH);
    const done = await upkeep.archiveNow(ended);
    place = last ?? start;
    return { done, left: last === undefined ? "nothing" : "more" };
  };
}
