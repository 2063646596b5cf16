import { type Kysely, sql } from "kysely";
import type { Database } from "../../src/storage/tables.ts";

/** Who and what the sessions of {@link fillSessions} are about. */
export const many = {
  /** Has a twentieth of the sessions in view; everybody else has a few. */
  busyUser: "user-0",
  user: "user-77",
  /** Has half of the users. */
  organization: "organization-0",
  /** Created nearly all sessions. */
  login: "login",
  /** Created one in a hundred. */
  creator: "creator-7",
  fingerprint: "agent-77",
  address: "10.0.0.77",
  network: "10.0.1.0/24",
} as const;

/**
 * Fills the tables past the log: sessions of every kind, the oldest of them ended or expired, and fresh statistics.
 * @param count of sessions, of which a fifth were ended and three tenths have expired
 */
export async function fillSessions(db: Kysely<Database>, count: number): Promise<void> {
  const users = count / 10;
  // All but the primary key: made at the end they take a third of the time.
  const { rows: indexes } = await sql<{ name: string; definition: string }>`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE tablename = 'sessions' AND indexname <> 'sessions_pkey'`.execute(db);
  for (const { name } of indexes) await sql`DROP INDEX ${sql.ref(name)}`.execute(db);
  await sql`
    INSERT INTO users SELECT (jsonb_populate_record(NULL::users,
      to_jsonb(u) || jsonb_build_object('id', name, 'username', name, 'username_key', name))).*
    FROM (SELECT * FROM users LIMIT 1) u, generate_series(0, ${users}::int - 1) n, LATERAL (SELECT 'user-' || n AS name) t`.execute(
    db,
  );
  await sql`
    INSERT INTO sessions (id, sequence, status, creator_id, user_id, user_organization_id, user_epoch, factors, challenges,
      metadata, fingerprint_id, user_agent, token_digest, lifetime_ends_at, last_used_at, ending, ended_at, created_at,
      changed_at)
    SELECT md5(n::text), 5, status, creator, 'user-' || person, 'organization-' || person % 2, 0, '{}', '{}',
      jsonb_build_object('tier', CASE n % 100 WHEN 0 THEN 'Z29sZA==' ELSE 'cGxhaW4=' END),
      'agent-' || n % (${count}::int / 4), jsonb_build_object('ip', '10.0.' || (n / 256) % 256 || '.' || n % 256), md5(n::text),
      CASE WHEN status = 'active' AND n % 2 = 0 THEN at + interval '100 days' WHEN status = 'expired' THEN at + interval '1 hour' END,
      at,
      CASE status WHEN 'terminated' THEN jsonb_build_object('reason',
          CASE n % 50 WHEN 4 THEN 'user_locked' ELSE 'terminated' END, 'actorId', creator)
        WHEN 'expired' THEN '{"reason": "expired", "actorId": null}'::jsonb END,
      CASE status WHEN 'terminated' THEN at + interval '10 minutes' WHEN 'expired' THEN at + interval '1 hour' END,
      at, at
    FROM (
      SELECT n, CASE WHEN n % 20 = 1 THEN 0 ELSE n % ${users}::int END AS person,
        CASE WHEN n % 10 = 3 THEN 'creator-' || n / 10 % 10 ELSE 'login' END AS creator,
        date_trunc('milliseconds', now() - (${count}::int - n) * interval '10 seconds') AS at,
        CASE WHEN n % 5 = 4 THEN 'terminated' WHEN n < ${count}::int * 3 / 8 THEN 'expired' ELSE 'active' END AS status
      FROM generate_series(1, ${count}::int) n
    ) drawn`.execute(db);
  for (const { definition } of indexes) await sql`${sql.raw(definition)}`.execute(db);
  await sql`VACUUM ANALYZE sessions, users, user_endings, endings`.execute(db);
}
