import type { UserEndingRow } from "../storage/tables.ts";
import { takeTurns } from "./take-turns.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";
import { BATCH, type EndingDependencies, writeDown } from "./write-down.ts";

/** Writes down which sessions acts on users ended, and moves them out of the indexes over those in view. */
export function userEndingsWriter(dependencies: EndingDependencies): UpkeepTask["run"] {
  const { upkeep } = dependencies;
  return takeTurns<UserEndingRow>(upkeep, {
    next: (step, after) => upkeep.openUserEnding(step, after),
    isAnyLeft: () => upkeep.isAnyUserEndingOpen(),
    work: async (step, act, committed) => {
      const records = await upkeep.sessionsOfEpoch(step, act, BATCH);
      const { done } = await writeDown(dependencies, step, committed, records);
      // It stays open for what somebody else has locked.
      if (records.length < BATCH) await upkeep.finishUserEnding(step, act);
      return done;
    },
  });
}
