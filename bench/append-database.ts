import { openPostgres } from "../src/storage/database.ts";
import { migrate } from "../src/storage/migrate.ts";
import { digestOf, idOf, seedSessions } from "./session-seed.ts";

/** Rows and streams in the tables before the first append. */
export const SEEDED_SESSIONS = 100_000;

/** The server's own schema with as many sessions in it, each with the events of its beginning. */
export async function seedDatabase(url: string): Promise<void> {
  const { db, close } = openPostgres(url);
  await migrate(db);
  await close();
  await seedSessions(url, {
    count: SEEDED_SESSIONS,
    userIds: [],
    days: 0,
    creatorIds: ["bench"],
    devices: 0,
  });
}

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
