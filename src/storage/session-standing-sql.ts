import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { Sql } from "./conditions.ts";
import { reachedSql } from "./session-filter-sql.ts";
import type { RunningEnding } from "./session-repository.ts";
import type { Database } from "./tables.ts";

/**
 * What decides how sessions stand besides their rows. Read it and them in one snapshot: an ending that is not running
 * any more says nothing about what a session has become since.
 */
export type Moment = {
  /** The database's clock. */
  now: Date;
  /** The running bulk endings, the oldest first. */
  endings: readonly RunningEnding[];
  /** Whether there is an act on a user whose sessions do not all have their event. */
  hasOpenActs: boolean;
};

/** @param db a transaction that goes on seeing what it sees now */
export async function readMoment(db: Kysely<Database>): Promise<Moment> {
  const { rows } = await sql<{ now: Date; hasOpenActs: boolean } & Nullable<RunningEnding>>`
    SELECT m.*, e.id, e.filter, e.actor_id, e.created_at
    FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now,
      EXISTS (SELECT 1 FROM user_endings a WHERE NOT a.is_done) AS has_open_acts) m
    LEFT JOIN endings e ON e.status = 'running' ORDER BY e.created_at, e.id`.execute(db);
  const { now, hasOpenActs } = rows[0]!;
  return { now, hasOpenActs, endings: rows.flatMap((row) => (row.id === null ? [] : ending(row))) };
}

type Nullable<T> = { [K in keyof T]: T[K] | null };

function ending({ id, filter, actorId, createdAt }: Nullable<RunningEnding>): RunningEnding {
  return { id: id!, filter: filter!, actorId: actorId!, createdAt: createdAt! };
}

// How a session in view stands, and why: `standing` in `session/session.ts` and `overdueEnding` in
// `session/ending/overdue.ts` say the same of one session in memory. They change together.

/**
 * Whether an act on its user ended a session `s` that is still in view. The user's epoch need not be compared: an act
 * moves it on and stores its `user_endings` in one append, no session can be begun on the old epoch after that (user
 * checks guard the user), and the act is done only once all sessions of the old epoch are out of view.
 */
export function actedOnSql({ hasOpenActs }: Moment): Sql {
  if (!hasOpenActs) return sql<SqlBool>`false`;
  return sql<SqlBool>`EXISTS (SELECT 1 FROM user_endings a
    WHERE NOT a.is_done AND a.user_id = s.user_id AND a.epoch = s.user_epoch)`;
}

/** Whether a running bulk ending reaches a session `s`. */
export function reachedByAnySql({ endings }: Moment): Sql {
  if (endings.length === 0) return sql<SqlBool>`false`;
  return sql<SqlBool>`(${sql.join(endings.map(reachedSql), sql` OR `)}) IS TRUE`;
}

/** Whether the lifetime of a session `s` has passed. */
export function pastSql({ now }: Moment): Sql {
  return sql<SqlBool>`coalesce(s.expires_at < ${now}, false)`;
}

/** Why a session `s` has ended, of several reasons the first; null if it has not. */
export function reasonSql(moment: Moment): RawBuilder<string | null> {
  const { endings } = moment;
  const causes = [
    ...endings.map(
      (each) =>
        sql`SELECT 'ended_by_filter' AS reason, ${each.createdAt}::timestamptz AS at, 1 AS place WHERE ${reachedSql(each)}`,
    ),
    sql`SELECT a.reason, a.ended_at, 2 FROM user_endings a
      WHERE NOT a.is_done AND a.user_id = s.user_id AND a.epoch = s.user_epoch`,
    sql`SELECT 'expired', s.expires_at, 3 WHERE ${pastSql(moment)}`,
  ];
  return sql`CASE WHEN s.status <> 'active' THEN s.ending->>'reason' ELSE
    (SELECT c.reason FROM (${sql.join(causes, sql` UNION ALL `)}) c (reason, at, place)
      ORDER BY c.at, c.place LIMIT 1) END`;
}
