import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

/** Gives the embedded database back the space of what was removed, a table at a time. */
export function vacuumer(upkeep: UpkeepRepository): UpkeepTask["run"] {
  return async () => {
    const done = await upkeep.vacuumOne();
    return done ? { done: 1, left: "more" } : { done: 0, left: "nothing" };
  };
}
