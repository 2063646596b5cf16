import { type Kysely, type SqlBool, sql, type Transaction } from "kysely";
import { allOf, inSql, type Sql } from "./conditions.ts";
import { reachedSql } from "./session-filter-sql.ts";
import { type RunningEnding, type SessionRecord, selectRecords } from "./session-repository.ts";
import type { Database, EndingRow, UserEndingRow } from "./tables.ts";

/** A step's transaction: what it locks stays as it is until the step is over. */
export type Step = Transaction<Database>;

/**
 * What the background finds to do. Every look locks what it finds and passes over what somebody else has locked, so any
 * number of servers work side by side and none waits for another.
 */
export class UpkeepRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** All of a step, or nothing. */
  step<T>(work: (step: Step) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute(work);
  }

  /** An act on a user whose sessions do not all have their event. */
  async openUserEnding(step: Step): Promise<UserEndingRow | undefined> {
    const { rows } = await sql<UserEndingRow>`
      SELECT * FROM user_endings WHERE NOT is_done LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows[0];
  }

  sessionsOfEpoch(step: Step, { userId, epoch }: UserEndingRow, limit: number): Promise<SessionRecord[]> {
    return this.#locked(step, ofEpoch(userId, epoch), limit);
  }

  /** @returns false if sessions of that epoch are left, of which somebody else may have some locked */
  async finishUserEnding(step: Step, { userId, epoch }: UserEndingRow): Promise<boolean> {
    const { rows } = await sql`
      UPDATE user_endings e SET is_done = true WHERE e.user_id = ${userId} AND e.epoch = ${epoch}
        AND NOT EXISTS (SELECT 1 FROM sessions s WHERE ${ofEpoch(userId, epoch)}) RETURNING e.epoch`.execute(
      step,
    );
    return rows.length > 0;
  }

  /**
   * A bulk ending that is running, and locked: one server works on it at a time, so that what it counts adds up.
   * @param id this one; by default the oldest
   */
  async openEnding(step: Step, id?: string): Promise<EndingRow | undefined> {
    const { rows } = await sql<EndingRow>`
      SELECT * FROM endings WHERE status = 'running' AND ${id === undefined ? sql`true` : sql`id = ${id}`}
      ORDER BY created_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows[0];
  }

  reachedSessions(step: Step, ending: RunningEnding, limit: number): Promise<SessionRecord[]> {
    return this.#locked(step, reachedSql(ending), limit);
  }

  async isAnyReached(step: Step, ending: RunningEnding): Promise<boolean> {
    const { rows } = await sql`
      SELECT 1 FROM sessions s WHERE NOT s.is_archived AND ${reachedSql(ending)} LIMIT 1`.execute(step);
    return rows.length > 0;
  }

  /** @param since what ended earlier has been looked at */
  expiredSessions(step: Step, since: Date, limit: number): Promise<SessionRecord[]> {
    const past = sql<SqlBool>`s.status = 'active' AND s.expires_at >= ${since} AND s.expires_at < now()`;
    return this.#locked(step, past, limit, sql`s.expires_at`);
  }

  /** The database's clock. */
  async now(): Promise<Date> {
    const { rows } = await sql<{ now: Date }>`SELECT now() AS now`.execute(this.#db);
    return rows[0]!.now;
  }

  /** The acts that ended the sessions of these users and epochs. */
  async actsOn(step: Step, records: readonly SessionRecord[]): Promise<UserEndingRow[]> {
    const userIds = records.flatMap(({ session: { userId } }) => userId ?? []);
    if (userIds.length === 0) return [];
    const { rows } = await sql<UserEndingRow>`
      SELECT * FROM user_endings e WHERE ${inSql(sql`e.user_id`, [...new Set(userIds)])}`.execute(step);
    return rows;
  }

  /** Moves sessions that were ended by an act out of the indexes over those in view. @returns how many */
  async archive(db: Kysely<Database>, ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    const { numAffectedRows } = await sql`
      UPDATE sessions SET is_archived = true WHERE id IN (
        SELECT s.id FROM sessions s WHERE ${inSql(sql`s.id`, ids)} AND s.status = 'terminated' AND NOT s.is_archived
        FOR NO KEY UPDATE SKIP LOCKED)`.execute(db);
    return Number(numAffectedRows ?? 0);
  }

  /** {@link archive} outside a step. */
  archiveNow(ids: readonly string[]): Promise<number> {
    return this.archive(this.#db, ids);
  }

  /**
   * Sessions that were ended by an act and are in the indexes over those in view still, so many after one in the order
   * of their creation.
   * @returns where to go on; undefined at the end
   */
  async endedInView(
    after: { createdAt: Date; id: string },
    limit: number,
  ): Promise<{ ended: string[]; last: { createdAt: Date; id: string } | undefined }> {
    const { rows } = await sql<{ id: string; createdAt: Date }>`
      SELECT s.id, s.created_at FROM sessions s
      WHERE NOT s.is_archived AND s.status = 'terminated' AND (s.created_at, s.id) > (${after.createdAt}, ${after.id})
      ORDER BY s.created_at, s.id LIMIT ${limit}`.execute(this.#db);
    return { ended: rows.map(({ id }) => id), last: rows.length < limit ? undefined : rows.at(-1) };
  }

  #locked(step: Step, condition: Sql, limit: number, order = sql`s.created_at`): Promise<SessionRecord[]> {
    return selectRecords(
      step,
      sql`WHERE ${allOf([sql<SqlBool>`NOT s.is_archived`, condition])} ORDER BY ${order} LIMIT ${limit}
        FOR NO KEY UPDATE OF s SKIP LOCKED`,
    );
  }
}

function ofEpoch(userId: string, epoch: number): Sql {
  return sql<SqlBool>`(NOT s.is_archived AND s.user_id = ${userId} AND s.user_epoch = ${epoch}
    AND s.status IN ('active', 'expired'))`;
}
