import { CompiledQuery, type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import { allOf } from "./conditions.ts";
import { KEYS, named } from "./named-statements.ts";
import { selectList } from "./row-table.ts";
import type { SessionFilter } from "./session-filter.ts";
import { reachedSql } from "./session-filter-sql.ts";
import { type FlatRecord, nest, recordColumns } from "./session-record.ts";
import { type SessionPage, type SessionSearch, searchSessions } from "./session-search.ts";
import {
  type Database,
  type EndingRow,
  type SessionRow,
  sessionTable,
  type UserEndingRow,
  type UserStatus,
} from "./tables.ts";

/** What a session shows of its user, and what the user's state does to it. */
export type SessionUser = {
  status: UserStatus;
  sessionEpoch: number;
  passwordEpoch: number;
  loginName: string;
  displayName: string;
};

/** A session and its user, read in one snapshot. */
export type SessionRecord = {
  session: SessionRow;
  user: SessionUser | null;
  /** The database's clock at the read. */
  now: Date;
  /** The bulk endings that were running. */
  endings: readonly RunningEnding[];
};

/** A bulk ending whose sessions do not all have their event yet. */
export type RunningEnding = Pick<EndingRow, "id" | "filter" | "actorId" | "createdAt">;

const byIds = named(`SELECT ${recordColumns}, clock_timestamp() AS now,
(SELECT array_agg(e.id) FROM endings e WHERE e.status = 'running') AS "endingIds"
FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = ANY(${KEYS})`);

type FoundRow = FlatRecord & { now: Date; endingIds: string[] | null };

/** The session read model. Reads see every acknowledged write: there is no cache and no replica. */
export class SessionRepository {
  readonly #db: Kysely<Database>;
  readonly #records: BatchLoader<string, SessionRecord>;
  /** What the running bulk endings say. Which of them are running is asked anew each time; what they say never changes. */
  #known = new Map<string, RunningEnding>();

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    this.#db = db;
    const raw = db.withoutPlugins();
    this.#records = new BatchLoader(
      async (ids) => {
        const { rows } = await raw.executeQuery<FoundRow>(CompiledQuery.raw(byIds, [ids]));
        const endings = await this.#endings(rows[0]?.endingIds ?? []);
        return new Map(rows.map(({ now, endingIds: _, ...row }) => [row.id, nest(row, { now, endings })]));
      },
      { lanes },
    );
  }

  async #endings(ids: readonly string[]): Promise<readonly RunningEnding[]> {
    if (ids.length === 0) return [];
    const known = this.#known;
    const unknown = ids.filter((id) => !known.has(id));
    const found = unknown.length === 0 ? [] : await endingsOf(this.#db).where("id", "in", unknown).execute();
    const running = [...known.values()]
      .filter(({ id }) => ids.includes(id))
      .concat(found)
      .sort(byAge);
    if (found.length > 0) this.#known = new Map(running.map((ending) => [ending.id, ending]));
    return running;
  }

  /** @returns the session as stored, ended ones too; undefined if there never was one of that id */
  find(id: string): Promise<SessionRecord | undefined> {
    return this.#records.load(id);
  }

  /** The bulk endings that are running right now. */
  runningEndings(): Promise<RunningEnding[]> {
    return endingsOf(this.#db).where("status", "=", "running").orderBy("createdAt").orderBy("id").execute();
  }

  findEnding(id: string): Promise<EndingRow | undefined> {
    return this.#db.selectFrom("endings").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** How many sessions a bulk ending with this filter would reach and be the first to end. */
  async countActive(filter: SessionFilter): Promise<number> {
    const endings = await this.runningEndings();
    const { rows: clock } = await sql<{ now: Date }>`SELECT now() AS now`.execute(this.#db);
    const conditions = allOf([
      sql<SqlBool>`NOT s.is_archived`,
      reachedSql({ id: "", filter, actorId: "", createdAt: clock[0]!.now }),
      sql<SqlBool>`NOT EXISTS (SELECT 1 FROM user_endings e
        WHERE NOT e.is_done AND e.user_id = s.user_id AND e.epoch = s.user_epoch)`,
      ...endings.map((ending) => sql<SqlBool>`${reachedSql(ending)} IS NOT TRUE`),
    ]);
    const { rows } = await sql<{ count: number }>`
      SELECT count(*) AS count FROM sessions s WHERE ${conditions}`.execute(this.#db);
    return Number(rows[0]!.count);
  }

  /**
   * Active sessions of a user beyond the newest so many, the newer ones first.
   * @param keep so many are passed over
   */
  async liveBeyond(userId: string, keep: number, limit: number): Promise<SessionRow[]> {
    const endings = await this.runningEndings();
    const conditions = allOf([
      sql<SqlBool>`NOT s.is_archived AND s.user_id = ${userId} AND s.status = 'active'`,
      sql<SqlBool>`s.user_epoch = u.session_epoch AND (s.expires_at IS NULL OR s.expires_at >= now())`,
      ...endings.map((ending) => sql<SqlBool>`${reachedSql(ending)} IS NOT TRUE`),
    ]);
    const { rows } = await sql<SessionRow>`
      SELECT ${sql.raw(selectList(sessionTable, "s"))} FROM sessions s JOIN users u ON u.id = s.user_id
      WHERE ${conditions} ORDER BY s.created_at DESC, s.id DESC OFFSET ${keep} LIMIT ${limit}`.execute(
      this.#db,
    );
    return rows;
  }

  /** @returns the act on the user that ended the sessions of this epoch */
  userEnding(userId: string, epoch: number): Promise<UserEndingRow | undefined> {
    return this.#db
      .selectFrom("userEndings")
      .selectAll()
      .where("userId", "=", userId)
      .where("epoch", "=", epoch)
      .executeTakeFirst() as Promise<UserEndingRow | undefined>;
  }

  /** A page of a list, see {@link SessionSearch}; what it says and counts is of one moment. */
  search(search: SessionSearch): Promise<SessionPage> {
    return searchSessions(this.#db, search);
  }
}

/**
 * Sessions with what their users and the running bulk endings do to them, as {@link SessionRepository.find} has them.
 * @param rest everything after FROM: `s` is a session, `u` its user
 */
export async function selectRecords(
  db: Kysely<Database>,
  rest: RawBuilder<unknown>,
): Promise<SessionRecord[]> {
  const endings = await endingsOf(db)
    .where("status", "=", "running")
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  const { rows } = await sql<FlatRecord & { now: Date }>`
    SELECT ${sql.raw(recordColumns)}, clock_timestamp() AS now
    FROM sessions s LEFT JOIN users u ON u.id = s.user_id ${rest}`.execute(db);
  return rows.map(({ now, ...row }) => nest(row, { now, endings }));
}

/** Of two endings of one moment the one with the smaller id counts as the first, everywhere. */
function byAge(a: RunningEnding, b: RunningEnding): number {
  return a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1);
}

function endingsOf(db: Kysely<Database>) {
  return db.selectFrom("endings").select(["id", "filter", "actorId", "createdAt"]);
}
