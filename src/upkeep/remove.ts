import type { Leftover, RetentionRepository } from "../storage/retention-repository.ts";
import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

const BATCH = 200;

/** Days that messages stay after they were sent or given up, and walks to identity providers after they expired. */
export const LEFTOVER_DAYS = 1;

type Dependencies = {
  upkeep: UpkeepRepository;
  retention: RetentionRepository;
  /** How long ago it must have ended; 0: never. */
  days: () => Promise<number>;
  onRemoved?: (count: number) => void;
};

/** Removes sessions that ended long enough ago, with their events. */
export function sessionRemover({ upkeep, retention, days, onRemoved }: Dependencies): UpkeepTask["run"] {
  return async () => {
    const after = await days();
    if (after === 0) return { done: 0, left: "nothing" };
    const done = await upkeep.step((step) => retention.removeSessions(step, after, BATCH));
    onRemoved?.(done);
    if (done > 0) return { done, left: "more" };
    return { done, left: (await retention.isAnySessionOver(after)) ? "held" : "nothing" };
  };
}

/** Removes what is done with, of one kind. What is locked just then is left to the next look. */
export function leftoverRemover(
  what: Leftover,
  { upkeep, retention, days }: Dependencies,
): UpkeepTask["run"] {
  return async () => {
    const after = await days();
    if (after === 0) return { done: 0, left: "nothing" };
    const done = await upkeep.step((step) => retention.removeLeftovers(step, what, after, BATCH));
    return { done, left: done === BATCH ? "more" : "nothing" };
  };
}
