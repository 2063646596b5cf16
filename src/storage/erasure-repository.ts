import { type Kysely, type SqlBool, sql } from "kysely";
import { inSql, type Sql } from "./conditions.ts";
import type { RetentionRepository } from "./retention-repository.ts";
import { selectList } from "./row-table.ts";
import { type Database, type SessionRow, sessionTable, type UserEndingRow } from "./tables.ts";
import type { Step } from "./upkeep-repository.ts";

/**
 * The removal of a user, whose data is to go. `beginsAfter`: the life it ended began
 * after this event of the user's stream.
 */
export type Erasure = Pick<UserEndingRow, "userId" | "epoch" | "endedAt" | "sequence"> & {
  beginsAfter: number;
};

/** An account at an identity provider. */
export type Account = { idpId: string; externalUserId: string };

/**
 * Where personal data of a removed user is. A later user of the same id begins after the removal's sequence, epoch and
 * time, and is none of this.
 */
export class ErasureRepository {
  readonly #db: Kysely<Database>;
  readonly #retention: RetentionRepository;

  constructor(db: Kysely<Database>, retention: RetentionRepository) {
    this.#db = db;
    this.#retention = retention;
  }

  /** @returns the first removal, after another one, whose sessions all have their event */
  async next(step: Step, after: Erasure | undefined): Promise<Erasure | undefined> {
    const { endedAt, userId, epoch } = after ?? { endedAt: new Date(0), userId: "", epoch: -1 };
    const { rows } = await sql<Erasure>`
      SELECT e.user_id, e.epoch, e.ended_at, e.sequence, coalesce((
        SELECT max(b.sequence) FROM user_endings b WHERE b.user_id = e.user_id AND b.epoch < e.epoch AND ${isRemoval("b")}
      ), 0) AS begins_after
      FROM user_endings e
      WHERE ${isRemoval("e")} AND NOT e.is_erased AND (e.ended_at, e.user_id, e.epoch) > (${endedAt}, ${userId}, ${epoch})
        AND NOT EXISTS (SELECT 1 FROM user_endings o WHERE o.user_id = e.user_id AND o.epoch <= e.epoch AND NOT o.is_done)
      ORDER BY e.ended_at, e.user_id, e.epoch LIMIT 1 FOR NO KEY UPDATE OF e SKIP LOCKED`.execute(step);
    return rows[0];
  }

  async isAnyLeft(): Promise<boolean> {
    const { rows } = await sql`
      SELECT 1 FROM user_endings e WHERE ${isRemoval("e")} AND NOT e.is_erased LIMIT 1`.execute(this.#db);
    return rows.length > 0;
  }

  /** Sessions of the user with anything personal in row or events, but what somebody else has locked. */
  async lockSessions(step: Step, erasure: Erasure, limit: number): Promise<SessionRow[]> {
    const { rows } = await sql<SessionRow>`
      SELECT ${sql.raw(selectList(sessionTable, "s"))} FROM sessions s WHERE ${unerased(erasure)}
      LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED`.execute(step);
    return rows;
  }

  async isAnySessionLeft(step: Step, erasure: Erasure): Promise<boolean> {
    const { rows } = await sql`SELECT 1 FROM sessions s WHERE ${unerased(erasure)} LIMIT 1`.execute(step);
    return rows.length > 0;
  }

  /** Writes what is left of these sessions, and removes the messages about them. */
  async writeSessions(
    step: Step,
    sessions: readonly { session: SessionRow; summary: object }[],
  ): Promise<void> {
    if (sessions.length === 0) return;
    await sql`
      UPDATE sessions s SET user_agent = NULL, fingerprint_id = NULL, metadata = '{}', factors = n.factors
      FROM unnest(${sessions.map(({ session }) => session.id)}::text[],
        ${sessions.map(({ session }) => JSON.stringify(session.factors))}::jsonb[]) AS n(id, factors)
      WHERE s.id = n.id`.execute(step);
    await this.#retention.fold(
      step,
      sessions.map(({ session: { id, sequence }, summary }) => ({ id, sequence, summary })),
    );
    const subjects = sessions.flatMap(({ session: { id } }) =>
      ["otp_sms", "otp_email"].map((part) => `session/${id}/${part}`),
    );
    await this.#removeMessages(step, inSql(sql`t.subject`, subjects));
  }

  /** The user's own events up to the removal, so many after one. */
  async stream(
    step: Step,
    { userId, sequence }: Erasure,
    after: number,
    limit: number,
  ): Promise<{ sequence: number; type: string; payload: object }[]> {
    const { rows } = await sql<{ sequence: number; type: string; payload: object }>`
      SELECT sequence, event_type AS type, payload FROM events
      WHERE aggregate_type = 'user' AND aggregate_id = ${userId} AND sequence > ${after} AND sequence <= ${sequence}
      ORDER BY sequence LIMIT ${limit}`.execute(step);
    return rows;
  }

  async writePayloads(
    step: Step,
    { userId }: Erasure,
    events: readonly { sequence: number; payload: object }[],
  ): Promise<void> {
    if (events.length === 0) return;
    await sql`
      UPDATE events e SET payload = n.payload
      FROM unnest(${events.map(({ sequence }) => sequence)}::bigint[],
        ${events.map(({ payload }) => JSON.stringify(payload))}::jsonb[]) AS n(sequence, payload)
      WHERE e.aggregate_type = 'user' AND e.aggregate_id = ${userId} AND e.sequence = n.sequence`.execute(
      step,
    );
  }

  /** Messages to the user about the user's own codes. */
  removeUserMessages(step: Step, { userId, endedAt }: Erasure): Promise<void> {
    // From "user/mia/" up to "user/mia0", the next character; another id may go on with a slash.
    return this.#removeMessages(
      step,
      sql<SqlBool>`t.subject >= ${`user/${userId}/`} AND t.subject < ${`user/${userId}0`}
        AND t.content->'about'->>'id' = ${userId} AND t.created_at <= ${endedAt}`,
    );
  }

  /** Walks to identity providers that came back with one of these accounts, or as the user. */
  async removeIntents(step: Step, { userId, endedAt }: Erasure, accounts: readonly Account[]): Promise<void> {
    const { rows } = await sql<{ id: string }>`
      SELECT t.id FROM idp_intents t WHERE t.created_at <= ${endedAt} AND t.id IN (
        SELECT i.id FROM idp_intents i WHERE i.user_id = ${userId}
        UNION
        SELECT i.id FROM idp_intents i JOIN unnest(${accounts.map(({ idpId }) => idpId)}::text[],
          ${accounts.map(({ externalUserId }) => externalUserId)}::text[]) AS a(idp_id, idp_user_id)
          ON i.idp_id = a.idp_id AND i.idp_user_id = a.idp_user_id)
      FOR UPDATE OF t`.execute(step);
    await this.#retention.remove(
      step,
      "idp_intents",
      rows.map(({ id }) => id),
    );
  }

  async finish(step: Step, { userId, epoch }: Erasure): Promise<void> {
    await sql`
      UPDATE user_endings SET is_erased = true WHERE user_id = ${userId} AND epoch = ${epoch}`.execute(step);
  }

  // One that is being sent just now is waited for: what becomes of it is nobody's business then.
  async #removeMessages(step: Step, condition: Sql): Promise<void> {
    const { rows } = await sql<{ id: string }>`
      SELECT t.id FROM notifications t WHERE ${condition} FOR UPDATE`.execute(step);
    await this.#retention.remove(
      step,
      "notifications",
      rows.map(({ id }) => id),
    );
  }
}

const isRemoval = (alias: string): Sql =>
  sql<SqlBool>`${sql.ref(alias)}.reason IN ('user_deleted', 'organization_removed')`;

/** All of them have ended. Each status has its own index. */
const unerased = ({ userId, epoch }: Erasure): Sql =>
  sql<SqlBool>`((s.user_id = ${userId} AND s.status = 'terminated') OR (s.user_id = ${userId} AND s.status = 'expired'))
    AND s.user_epoch <= ${epoch} AND (NOT s.is_folded OR s.user_agent IS NOT NULL OR s.fingerprint_id IS NOT NULL OR s.metadata <> '{}'::jsonb
      OR jsonb_exists(s.factors->'user', 'preferredLanguage'))`;
