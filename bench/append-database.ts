import pg from "pg";
import { openPostgres } from "../src/storage/database.ts";
import { migrate } from "../src/storage/migrate.ts";

/** Rows and streams in the tables before the first append. */
export const SEEDED_SESSIONS = 100_000;

/** The id of the n-th seeded session as SQL; n is an expression, from 1 to {@link SEEDED_SESSIONS}. */
const idOf = (n: string): string => `'0197a000-0000-7000-8000-' || lpad((${n})::text, 12, '0')`;

/** The server's own schema with as many sessions in it, each with the events of its beginning. */
export async function seedDatabase(url: string): Promise<void> {
  const { db, close } = openPostgres(url);
  await migrate(db);
  await close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`
      INSERT INTO sessions (id, sequence, status, creator_id, factors, metadata, user_agent, token_digest, created_at, last_used_at, changed_at)
      SELECT ${idOf("n")}, 2, 'active', 'bench', '{}', '{"device": "bGFwdG9w"}',
        '{"ip": "192.0.2.7", "description": "Firefox 140 on Linux"}', ${digestOf("n")}, at, at, at
      FROM generate_series(1, ${SEEDED_SESSIONS}) n, date_trunc('milliseconds', now()) at`);
    await client.query(`
      INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
      SELECT 'session', s.id, e.sequence, e.event_type, e.payload::jsonb, 'bench', s.created_at
      FROM sessions s CROSS JOIN LATERAL (VALUES
        (1, 'session.added', '{"user_agent": {"ip": "192.0.2.7", "description": "Firefox 140 on Linux"}}'),
        (2, 'session.token.set', '{"tokenDigest": "' || s.token_digest || '"}')
      ) AS e(sequence, event_type, payload)`);
    await client.query("VACUUM (ANALYZE) sessions, events");
  } finally {
    await client.end();
  }
}

/** As long as a real one: SHA-256 in base64url. */
const digestOf = (n: string): string => `rpad(md5((${n})::text), 43, 'A')`;

/**
 * What the append path is held against: the least PostgreSQL itself must do for one such append, in one statement and
 * one round trip. It writes three columns of the row and does not even check which sequence the writer expected.
 * @param n the session's number: `$1`, or a variable of pgbench
 */
export const referenceStatement = (n: string): string =>
  [
    `WITH changed AS (UPDATE sessions SET sequence = sequence + 1, token_digest = ${digestOf(n)}, changed_at = now()`,
    `WHERE id = ${idOf(n)} RETURNING id, sequence, token_digest, changed_at)`,
    "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)",
    "SELECT 'session', id, sequence, 'session.token.set', jsonb_build_object('tokenDigest', token_digest), 'bench', changed_at",
    "FROM changed",
  ].join(" ");
