import { setTimeout as sleep } from "node:timers/promises";
import type { RetentionSize } from "./plan.ts";
import type { House } from "./retention-house.ts";

/** Sessions that ended together. */
export type EndedSessions = { count: number; endedAt: Date };

const DAY_MS = 86_400_000;
const POLL_MS = 100;
/** What the server's own background has in hand just then is done by then. */
const DEADLINE_MS = 120_000;

/**
 * @param ended all there ever were
 * @throws Error unless those that ended long enough ago are gone, and those that ended some time ago have one event
 */
export async function expectRetained(
  { client, clock }: House,
  ended: readonly EndedSessions[],
  { foldAfterDays, removeAfterDays }: RetentionSize,
): Promise<void> {
  const now = (await clock.now()).getTime();
  const count = (least: number, most: number) =>
    ended
      .filter(({ endedAt }) => endedAt.getTime() < now - least && endedAt.getTime() >= now - most)
      .reduce((sum, each) => sum + each.count, 0);
  const retained = count(Number.NEGATIVE_INFINITY, removeAfterDays * DAY_MS);
  const folded = count(foldAfterDays * DAY_MS, removeAfterDays * DAY_MS);
  const promised = `${retained} sessions, ${retained} streams, ${folded} of one event`;
  let found = "";
  for (
    const startedAt = performance.now();
    performance.now() - startedAt < DEADLINE_MS;
    await sleep(POLL_MS)
  ) {
    const { rows } = await client.query<{ sessions: string; streams: string; folded: string }>(
      `SELECT (SELECT count(*) FROM sessions) AS sessions, count(*) AS streams,
         count(*) FILTER (WHERE events = 1 AND is_summary) AS folded
       FROM (
         SELECT count(*) AS events, bool_and(event_type = 'session.summarized') AS is_summary
         FROM events WHERE aggregate_type = 'session' GROUP BY aggregate_id
       ) streams`,
    );
    const { sessions, streams, folded: single } = rows[0]!;
    found = `${sessions} sessions, ${streams} streams, ${single} of one event`;
    if (found === promised) return;
  }
  throw new Error(`after the maintenance there are ${found}, instead of ${promised}`);
}
