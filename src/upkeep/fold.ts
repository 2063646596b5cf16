import { summaryOf } from "../session/summary.ts";
import type { RetentionRepository } from "../storage/retention-repository.ts";
import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

/** Sessions folded in a step at most, and sessions looked at. */
const BATCH = 100;
const LOOK = 1_000;

/**
 * Makes one event of all those of a session that ended long enough ago. What has been passed is folded and stays so, so
 * a server looks at each ended session once.
 * @param days how long ago; 0: never
 */
export function folder({
  upkeep,
  retention,
  days,
  onFolded,
}: {
  upkeep: UpkeepRepository;
  retention: RetentionRepository;
  days: () => Promise<number>;
  onFolded: (sessions: number) => void;
}): UpkeepTask["run"] {
  let place = { at: new Date(0), id: "" };
  return async () => {
    const after = await days();
    if (after === 0) return { done: 0, left: "nothing" };
    const seen = await retention.endedSessions(after, place, LOOK);
    const unfolded = seen.filter(({ isFolded }) => !isFolded).slice(0, BATCH);
    const folded = unfolded.length === 0 ? new Set() : await fold(unfolded.map(({ id }) => id));
    // Not past what somebody else has locked or what has no ending yet.
    const stop = seen.findIndex(({ id, isFolded }) => !isFolded && !folded.has(id));
    place = (stop === -1 ? seen : seen.slice(0, stop)).at(-1) ?? place;
    const done = folded.size;
    if (done > 0 || (stop === -1 && seen.length === LOOK)) return { done, left: "more" };
    return { done, left: stop === -1 ? "nothing" : "held" };
  };

  function fold(ids: readonly string[]): Promise<Set<string>> {
    return upkeep.step(async (step, committed) => {
      const sessions = await retention.lockUnfolded(step, ids);
      await retention.fold(
        step,
        sessions.map((session) => ({
          id: session.id,
          sequence: session.sequence,
          summary: summaryOf(session),
        })),
      );
      committed(() => onFolded(sessions.length));
      return new Set(sessions.map(({ id }) => id));
    });
  }
}
