import { type Kysely, type SqlBool, sql, type Transaction } from "kysely";
import { allOf, type Sql } from "./conditions.ts";
import { reachedSql } from "./session-filter-sql.ts";
import { type RunningEnding, type SessionRecord, selectRecords } from "./session-repository.ts";
import type { Database, EndingRow, UserEndingRow } from "./tables.ts";

/** A step's transaction: what it locks stays as it is until the step is over. */
export type Step = Transaction<Database>;

/** Has something done once a step is committed. */
export type Committed = (effect: () => void) => void;

/** A server that hangs in the middle of a step gives back what it has locked. */
const IDLE_TIMEOUT = "10s";

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
  async step<T>(work: (step: Step, committed: Committed) => Promise<T>): Promise<T> {
    const effects: (() => void)[] = [];
    const result = await this.#db.transaction().execute(async (step) => {
      await sql`SELECT set_config('idle_in_transaction_session_timeout', ${IDLE_TIMEOUT}, true)`.execute(
        step,
      );
      return work(step, (effect) => effects.push(effect));
    });
    for (const effect of effects) effect();
    return result;
  }

  /** @returns the first act on a user, after another one, whose sessions do not all have their event */
  async openUserEnding(
    step: Step,
    after: { userId: string; epoch: number } = { userId: "", epoch: -1 },
  ): Promise<UserEndingRow | undefined> {
    const { rows } = await sql<UserEndingRow>`
      SELECT * FROM user_endings WHERE NOT is_done AND (user_id, epoch) > (${after.userId}, ${after.epoch})
      ORDER BY user_id, epoch LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows[0];
  }

  isAnyUserEndingOpen(): Promise<boolean> {
    return this.#exists(sql`SELECT 1 FROM user_endings WHERE NOT is_done`);
  }

  async sessionsOfEpoch(
    step: Step,
    { userId, epoch }: UserEndingRow,
    limit: number,
  ): Promise<SessionRecord[]> {
    return this.#locked(step, [ofEpoch(userId, epoch), ...(await unreached(step))], limit);
  }

  /** Nothing is left to do about an act, unless sessions of that epoch are left, locked by somebody else maybe. */
  async finishUserEnding(step: Step, { userId, epoch }: UserEndingRow): Promise<void> {
    await sql`
      UPDATE user_endings e SET is_done = true WHERE e.user_id = ${userId} AND e.epoch = ${epoch}
        AND NOT EXISTS (SELECT 1 FROM sessions s WHERE ${ofEpoch(userId, epoch)})`.execute(step);
  }

  /** @returns the first running bulk ending, after another one */
  async openEnding(
    step: Step,
    after: { createdAt: Date; id: string } = { createdAt: new Date(0), id: "" },
  ): Promise<EndingRow | undefined> {
    const { rows } = await sql<EndingRow>`
      SELECT * FROM endings WHERE status = 'running' AND (created_at, id) > (${after.createdAt}, ${after.id})
      ORDER BY created_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows[0];
  }

  /** This one, if it is running; waits while somebody else works on it. */
  async lockEnding(step: Step, id: string): Promise<EndingRow | undefined> {
    const { rows } = await sql<EndingRow>`
      SELECT * FROM endings WHERE id = ${id} AND status = 'running' FOR NO KEY UPDATE`.execute(step);
    return rows[0];
  }

  isAnyEndingOpen(): Promise<boolean> {
    return this.#exists(sql`SELECT 1 FROM endings WHERE status = 'running'`);
  }

  /**
   * Sessions in the order of their creation, after one of them, that are this ending's to end: not those that an earlier
   * one has ended.
   */
  async reachedSessions(
    step: Step,
    ending: RunningEnding,
    after: { createdAt: Date; id: string } | undefined,
    limit: number,
  ): Promise<SessionRecord[]> {
    const conditions = [reachedSql(ending), ...(await unreached(step, ending))];
    if (after) conditions.push(sql<SqlBool>`(s.created_at, s.id) > (${after.createdAt}, ${after.id})`);
    return this.#locked(step, conditions, limit);
  }

  async isAnyReached(step: Step, ending: RunningEnding): Promise<boolean> {
    const { rows } = await sql`
      SELECT 1 FROM sessions s WHERE ${reachedSql(ending)} LIMIT 1`.execute(step);
    return rows.length > 0;
  }

  /** This session, if there is one; waits for whoever changes it. */
  async lockSession(step: Step, id: string): Promise<SessionRecord | undefined> {
    const records = await selectRecords(step, sql`WHERE s.id = ${id} FOR NO KEY UPDATE OF s`);
    return records[0];
  }

  /**
   * The end of the lifetime that was over first, of those that have no event yet, by the database's clock.
   * @param since what ended earlier is not asked for
   */
  async oldestExpired(since: Date): Promise<{ now: Date; oldest: Date | undefined }> {
    const { rows } = await sql<{ now: Date; oldest: Date | null }>`
      SELECT now() AS now, (SELECT s.expires_at FROM sessions s
        WHERE ${expired(since)} ORDER BY s.expires_at LIMIT 1) AS oldest`.execute(this.#db);
    const { now, oldest } = rows[0]!;
    return { now, oldest: oldest ?? undefined };
  }

  /** The sessions {@link oldestExpired} is about. */
  async expiredSessions(step: Step, since: Date, limit: number): Promise<SessionRecord[]> {
    return this.#locked(step, [expired(since), ...(await unreached(step))], limit, sql`s.expires_at`);
  }

  /** The acts that ended the sessions of these users and epochs. */
  async actsOn(step: Step, records: readonly SessionRecord[]): Promise<UserEndingRow[]> {
    const pairs = records.flatMap(({ session: { userId, userEpoch } }) =>
      userId === null || userEpoch === null ? [] : [{ userId, epoch: userEpoch }],
    );
    if (pairs.length === 0) return [];
    const { rows } = await sql<UserEndingRow>`
      SELECT e.* FROM user_endings e JOIN (
        SELECT DISTINCT * FROM unnest(${pairs.map(({ userId }) => userId)}::text[], ${pairs.map(({ epoch }) => epoch)}::bigint[]) AS n(user_id, epoch)
      ) n ON e.user_id = n.user_id AND e.epoch = n.epoch`.execute(step);
    return rows;
  }

  /** How long the oldest of each kind has been waiting to be done; 0: there is none. */
  async waiting(): Promise<{ task: string; seconds: number }[]> {
    const { rows } = await sql<{ task: string; seconds: number }>`
      SELECT task, coalesce(extract(epoch FROM now() - since), 0)::float8 AS seconds FROM (
        SELECT 'user endings' AS task, min(ended_at) AS since FROM user_endings WHERE NOT is_done
        UNION ALL SELECT 'bulk endings', min(created_at) FROM endings WHERE status = 'running'
        UNION ALL SELECT 'erase users', min(ended_at) FROM user_endings
          WHERE reason IN ('user_deleted', 'organization_removed') AND NOT is_erased
      ) AS waiting`.execute(this.#db);
    return rows;
  }

  /**
   * Frees the space of what was changed and removed, of one table that has enough of it, as PostgreSQL does by itself;
   * the embedded database has nobody who would.
   * @returns false if there is none
   */
  async vacuumOne(): Promise<boolean> {
    await sql`SELECT pg_stat_force_next_flush()`.execute(this.#db);
    const { rows } = await sql<{ name: string }>`
      SELECT s.relname AS name FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
      WHERE s.n_dead_tup > 1000 + 0.2 * greatest(c.reltuples, 0) ORDER BY s.n_dead_tup DESC LIMIT 1`.execute(
      this.#db,
    );
    if (rows[0] === undefined) return false;
    await this.vacuum(rows[0].name);
    return true;
  }

  /** Frees the space of what was removed from a table, unless somebody else is doing that. */
  async vacuum(table: string): Promise<void> {
    await sql`VACUUM (ANALYZE, SKIP_LOCKED) ${sql.table(table)}`.execute(this.#db);
  }

  async #exists(query: Sql): Promise<boolean> {
    const { rows } = await sql<{ found: boolean }>`SELECT EXISTS (${query}) AS found`.execute(this.#db);
    return rows[0]!.found;
  }

  #locked(
    step: Step,
    conditions: readonly Sql[],
    limit: number,
    order = sql`s.created_at, s.id`,
  ): Promise<SessionRecord[]> {
    return selectRecords(
      step,
      sql`WHERE ${allOf(conditions)} ORDER BY ${order} LIMIT ${limit}
        FOR NO KEY UPDATE OF s SKIP LOCKED`,
    );
  }
}

/** What no running bulk ending has ended, or none that began before this one. */
async function unreached(step: Step, before?: RunningEnding): Promise<Sql[]> {
  const { rows } = await sql<RunningEnding>`
    SELECT id, filter, actor_id, created_at FROM endings WHERE status = 'running'
      AND ${before ? sql`(created_at, id) < (${before.createdAt}, ${before.id})` : sql`true`}`.execute(step);
  return rows.map((ending) => sql<SqlBool>`${reachedSql(ending)} IS NOT TRUE`);
}

function ofEpoch(userId: string, epoch: number): Sql {
  return sql<SqlBool>`(s.user_id = ${userId} AND s.user_epoch = ${epoch}
    AND s.status IN ('active', 'expired'))`;
}

function expired(since: Date): Sql {
  return sql<SqlBool>`(s.status = 'active' AND s.expires_at >= ${since} AND s.expires_at < now())`;
}
