import type { Committed, Step, UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

/**
 * A task over things that each take many steps: one step of the next, then one of the one after, so that none has to
 * wait for another that is stuck.
 * @param next the first after one that nobody else works on; locks it
 * @param work one step of it @returns how much was done
 * @param isAnyLeft whether there are any, those that others work on too
 */
export function takeTurns<T>(
  upkeep: UpkeepRepository,
  {
    next,
    work,
    isAnyLeft,
  }: {
    next(step: Step, after: T | undefined): Promise<T | undefined>;
    work(step: Step, item: T, committed: Committed): Promise<number>;
    isAnyLeft(): Promise<boolean>;
  },
): UpkeepTask["run"] {
  let last: T | undefined;
  let hasMoved = false;
  return async () => {
    const done = await upkeep.step(async (step, committed) => {
      const item = await next(step, last);
      // Before the work: what fails has had its turn.
      last = item;
      return item && work(step, item, committed);
    });
    if (done !== undefined) {
      hasMoved ||= done > 0;
      return { done, left: "more" };
    }
    // That was everybody's turn.
    const again = hasMoved;
    hasMoved = false;
    if (again) return { done: 0, left: "more" };
    return { done: 0, left: (await isAnyLeft()) ? "held" : "nothing" };
  };
}
