import type { UpkeepTask } from "./upkeep-worker.ts";
import { BATCH, type UpkeepDependencies, writeDown } from "./write-endings.ts";

/** An append that took so long from its own time to its commit may still come in below the mark. */
const MARGIN_MS = 60_000;

/**
 * Writes down that sessions have expired. What has been swept is not looked at again: past the mark there is nothing
 * left but what has come in since.
 */
export function sweeper(dependencies: UpkeepDependencies): UpkeepTask["run"] {
  const { upkeep } = dependencies;
  let mark = new Date(0);
  return async () => {
    const now = await upkeep.now();
    const done = await upkeep.step(async (step) => {
      const records = await upkeep.expiredSessions(step, mark, BATCH);
      await writeDown(dependencies, step, records);
      return records.length;
    });
    if (done === 0) mark = new Date(Math.max(mark.getTime(), now.getTime() - MARGIN_MS));
    return { more: done > 0, done };
  };
}
