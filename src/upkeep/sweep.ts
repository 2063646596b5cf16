import type { UpkeepTask } from "./upkeep-worker.ts";
import { BATCH, type EndingDependencies, writeDown } from "./write-down.ts";

/** An append that took so long from its own time to its commit may still come in below the mark. */
const MARGIN_MS = 60_000;

/** One can take longer where the log is locked for a while, so now and then the sweep looks back further. */
const LOOK_BACK = { everyMs: 600_000, byMs: 3_600_000 };

/**
 * Writes down that sessions have expired. What has been swept is not looked at again: below the mark there is nothing
 * left but what has come in since.
 */
export function sweeper(dependencies: EndingDependencies): UpkeepTask["run"] {
  const { upkeep } = dependencies;
  let mark = new Date(0);
  let lookedBackAt = performance.now();
  return async () => {
    if (performance.now() - lookedBackAt > LOOK_BACK.everyMs) {
      lookedBackAt = performance.now();
      mark = before(mark, LOOK_BACK.byMs);
    }
    const { now, oldest } = await upkeep.oldestExpired(mark);
    const latest = before(now, MARGIN_MS);
    if (oldest === undefined) {
      mark = new Date(Math.max(mark.getTime(), latest.getTime()));
      return { done: 0, left: "nothing" };
    }
    if (oldest < latest) mark = oldest;
    const done = await upkeep.step(async (step, committed) => {
      const records = await upkeep.expiredSessions(step, mark, BATCH);
      return (await writeDown(dependencies, step, committed, records)).done;
    });
    return { done, left: done > 0 ? "more" : "held" };
  };
}

const before = (time: Date, milliseconds: number) => new Date(Math.max(0, time.getTime() - milliseconds));
