import { type Kysely, type SqlBool, sql } from "kysely";
import type { AggregateType } from "./aggregate.ts";
import { inSql, type Sql } from "./conditions.ts";
import { selectList } from "./row-table.ts";
import { type Database, type SessionRow, sessionTable } from "./tables.ts";
import type { Step } from "./upkeep-repository.ts";

/** A session that is over for good, and its place among the others: when it ended, and its id. */
export type EndedSession = { at: Date; id: string; isFolded: boolean };

/** A session as one event says all of it. */
export type FoldedSession = { id: string; sequence: number; summary: object };

/** What is kept for a while only, and removed with its events. */
export type Leftover = "endings" | "notifications" | "idp_intents";

const aggregates = {
  sessions: "session",
  endings: "ending",
  notifications: "notification",
  idp_intents: "idpintent",
} as const satisfies Record<"sessions" | Leftover, AggregateType>;

/**
 * What time makes of what is over: one event, then nothing. Ages are told by the database's clock, and everything is
 * found by an index: what an act ended by `ended_at`, expired ones by `expires_at`, which is when they ended.
 */
export class RetentionRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /**
   * Sessions that ended so many days ago, folded ones too, in the order of their ends, so many after one.
   * Both kinds come from one snapshot: one that leaves the view meanwhile is in neither or in one of them, never missed.
   * It stops where an ending is still to be written down, so whoever reads on from the last one passes none by.
   */
  async endedSessions(days: number, after: { at: Date; id: string }, limit: number): Promise<EndedSession[]> {
    const until = sql`least(${ago(days)}, ${firstUnwritten})`;
    const { rows } = await sql<EndedSession>`
      SELECT * FROM (
        (SELECT s.id, s.ended_at AS at, s.is_folded FROM sessions s
          WHERE s.status = 'terminated' AND (s.ended_at, s.id) > (${after.at}, ${after.id}) AND s.ended_at < ${until}
          ORDER BY s.ended_at, s.id LIMIT ${limit})
        UNION ALL
        (SELECT s.id, s.expires_at AS at, s.is_folded FROM sessions s
          WHERE s.status = 'expired' AND (s.expires_at, s.id) > (${after.at}, ${after.id}) AND s.expires_at < ${until}
          ORDER BY s.expires_at, s.id LIMIT ${limit})
      ) AS ended ORDER BY at, id LIMIT ${limit}`.execute(this.#db);
    return rows;
  }

  /** Those of these sessions that have ended and are not folded, but what somebody else has locked. */
  async lockUnfolded(step: Step, ids: readonly string[]): Promise<SessionRow[]> {
    const { rows } = await sql<SessionRow>`
      SELECT ${sql.raw(selectList(sessionTable, "s"))} FROM sessions s
      WHERE ${inSql(sql`s.id`, ids)} AND s.status IN ('expired', 'terminated') AND NOT s.is_folded
      FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows;
  }

  /**
   * Makes the last event of each session its summary and deletes those before. The event stays where it is in the log,
   * so whoever has read that far reads nothing twice.
   */
  async fold(step: Step, sessions: readonly FoldedSession[]): Promise<void> {
    const folded = sql`(SELECT * FROM unnest(${sessions.map(({ id }) => id)}::text[],
      ${sessions.map(({ sequence }) => sequence)}::bigint[],
      ${sessions.map(({ summary }) => JSON.stringify(summary))}::jsonb[]) AS n(id, sequence, summary)) AS n`;
    await sql`
      UPDATE events e SET event_type = 'session.summarized', payload = n.summary FROM ${folded}
      WHERE e.aggregate_type = 'session' AND e.aggregate_id = n.id AND e.sequence = n.sequence`.execute(step);
    await sql`
      DELETE FROM events e USING ${folded}
      WHERE e.aggregate_type = 'session' AND e.aggregate_id = n.id AND e.sequence < n.sequence`.execute(step);
    await sql`
      UPDATE sessions s SET is_folded = true WHERE ${inSql(
        sql`s.id`,
        sessions.map(({ id }) => id),
      )}`.execute(step);
  }

  /** Sessions that ended so many days ago, the oldest first: row and events. @returns how many */
  async removeSessions(step: Step, days: number, limit: number): Promise<number> {
    const ids: string[] = [];
    for (const { where, order } of overFor(days)) {
      if (ids.length === limit) break;
      const { rows } = await sql<{ id: string }>`
        SELECT s.id FROM sessions s WHERE ${where} ORDER BY ${order} LIMIT ${limit - ids.length}
        FOR UPDATE SKIP LOCKED`.execute(step);
      ids.push(...rows.map(({ id }) => id));
    }
    await this.remove(step, "sessions", ids);
    return ids.length;
  }

  /** Whether there are any that {@link removeSessions} would remove, those that others have locked too. */
  async isAnySessionOver(days: number): Promise<boolean> {
    for (const { where } of overFor(days)) {
      const { rows } = await sql`SELECT 1 FROM sessions s WHERE ${where} LIMIT 1`.execute(this.#db);
      if (rows.length > 0) return true;
    }
    return false;
  }

  /**
   * What nobody needs any more: bulk endings that are done and messages that are sent or given up, so many days after
   * that; walks to identity providers, so many days after they could last be used.
   * @returns how many
   */
  async removeLeftovers(step: Step, what: Leftover, days: number, limit: number): Promise<number> {
    const { rows } = await sql<{ id: string }>`
      SELECT t.id FROM ${sql.table(what)} t WHERE ${leftover[what](days)} LIMIT ${limit}
      FOR UPDATE SKIP LOCKED`.execute(step);
    await this.remove(
      step,
      what,
      rows.map(({ id }) => id),
    );
    return rows.length;
  }

  /** Rows that the step has locked, and all of their events. */
  async remove(step: Step, from: keyof typeof aggregates, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await sql`
      DELETE FROM events e WHERE e.aggregate_type = ${aggregates[from]}
        AND ${inSql(sql`e.aggregate_id`, ids)}`.execute(step);
    await sql`DELETE FROM ${sql.table(from)} t WHERE ${inSql(sql`t.id`, ids)}`.execute(step);
  }
}

const ago = (days: number) => sql`now() - ${days}::int * interval '24 hours'`;

/** The earliest end that has no event yet; null if there is none, which `least` passes over. */
const firstUnwritten = sql`least(
  (SELECT min(a.expires_at) FROM sessions a WHERE a.status = 'active' AND a.expires_at < now()),
  (SELECT min(o.ended_at) FROM user_endings o WHERE NOT o.is_done),
  (SELECT min(r.created_at) FROM endings r WHERE r.status = 'running'))`;

const overFor = (days: number) => [
  {
    where: sql<SqlBool>`s.status = 'terminated' AND s.ended_at < ${ago(days)}`,
    order: sql`s.ended_at, s.id`,
  },
  {
    where: sql<SqlBool>`s.status = 'expired' AND s.expires_at < ${ago(days)}`,
    order: sql`s.expires_at, s.id`,
  },
];

const leftover: Record<Leftover, (days: number) => Sql> = {
  endings: (days) => sql<SqlBool>`t.status = 'done' AND t.changed_at < ${ago(days)}`,
  notifications: (days) => sql<SqlBool>`t.status <> 'pending' AND t.changed_at < ${ago(days)}`,
  // An intent expires by the application's clock, which may be wrong: not before it is old by the database's too.
  idp_intents: (days) => sql<SqlBool>`t.expires_at < ${ago(days)} AND t.changed_at < ${ago(days)}`,
};
