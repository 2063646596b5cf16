import { type Kysely, sql } from "kysely";
import type { Database } from "./tables.ts";
import type { Step } from "./upkeep-repository.ts";

/**
 * The counts of sessions that are kept (see `session-counts-sql.ts`), and what has changed since they were last added up.
 */
export class SessionCountRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Whether so many changes wait to be added up. */
  async areWaiting(least: number): Promise<boolean> {
    const { rows } = await sql`
      SELECT 1 FROM session_count_changes OFFSET ${least - 1} LIMIT 1`.execute(this.#db);
    return rows.length > 0;
  }

  /**
   * Adds changes up, so many at most. Only one does at a time: whoever comes second would wait for the same few rows.
   * @returns how many; undefined: somebody else is at it
   */
  async compact(step: Step, limit: number): Promise<number | undefined> {
    // In a statement before: the next one's snapshot must see what the last one to hold this row has taken away.
    const { rows: own } = await sql`
      SELECT 1 FROM session_counts WHERE organization_id = '' FOR UPDATE SKIP LOCKED`.execute(step);
    if (own.length === 0) return undefined;
    // Nothing ever changes a row here, so its place stays its name.
    const { rows } = await sql<{ done: number }>`
      WITH taken AS (
        DELETE FROM session_count_changes
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM session_count_changes LIMIT ${limit}))
        RETURNING organization_id, active, expired, terminated
      ), added AS (
        INSERT INTO session_counts AS c
        SELECT coalesce(organization_id, ''), sum(active), sum(expired), sum(terminated)
        FROM taken GROUP BY GROUPING SETS ((organization_id), ())
        HAVING (GROUPING(organization_id) = 1 AND count(*) > 0) OR organization_id IS NOT NULL
        ON CONFLICT (organization_id) DO UPDATE SET active = c.active + excluded.active,
          expired = c.expired + excluded.expired, terminated = c.terminated + excluded.terminated
      )
      SELECT count(*) AS done FROM taken`.execute(step);
    return Number(rows[0]!.done);
  }
}
