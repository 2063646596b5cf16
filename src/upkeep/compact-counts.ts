import type { SessionCountRepository } from "../storage/session-count-repository.ts";
import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

/** A total reads so many changes at once without anybody noticing. */
const ENOUGH = 500;

/** Changes added up in a step at most. */
const BATCH = 10_000;

/** After so many the space they took is given back: reading passes over it, and autovacuum may be a minute away. */
const VACUUM_AFTER = 20_000;

/** Keeps it short what a total has to add up itself. */
export function countCompactor({
  upkeep,
  counts,
}: {
  upkeep: UpkeepRepository;
  counts: SessionCountRepository;
}): UpkeepTask["run"] {
  let sinceVacuum = 0;
  let isAtIt = false;
  return async () => {
    if (!isAtIt && !(await counts.areWaiting(ENOUGH))) return { done: 0, left: "nothing" };
    const done = await upkeep.step((step) => counts.compact(step, BATCH));
    if (done === undefined) return { done: 0, left: "held" };
    sinceVacuum += done;
    // To the last, or what is left at the end of the table keeps all the space before it.
    isAtIt = done === BATCH;
    if (isAtIt) return { done, left: "more" };
    if (sinceVacuum >= VACUUM_AFTER) {
      sinceVacuum = 0;
      await upkeep.vacuum("session_count_changes");
    }
    return { done, left: "nothing" };
  };
}
