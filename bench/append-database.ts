import { openPostgres } from "../src/storage/database.ts";
import { migrate } from "../src/storage/migrate.ts";
import { openClient } from "./database-client.ts";
import { digestOf, idOf, seedSessions } from "./session-seed.ts";

/**
 * Which of the sessions in the tables are used: so many, evenly spread over all of them. Numbered from 1. Those of
 * another `shift` (below the stride) are others.
 */
export type UsedSessions = { count: number; stride: number; shift?: number };

/** A process that holds the states of more would measure its own memory. */
const MOST_USED = 200_000;

export function usedSessions(sessions: number): UsedSessions {
  const stride = Math.ceil(sessions / MOST_USED);
  return { count: Math.floor(sessions / stride), stride };
}

/** The id of the n-th used session as SQL. */
export const usedIdOf = (n: string, { stride, shift = 0 }: UsedSessions): string =>
  idOf(`${n} * ${stride} - ${shift}`);

/** The server's own schema with as many sessions in it, each with the events of its beginning. */
export async function seedDatabase(url: string, count: number): Promise<void> {
  const { db, close } = openPostgres(url);
  await migrate(db);
  await close();
  await seedSessions(url, { count, userIds: [], days: 0, creatorIds: ["bench"], devices: 0 });
}

/** @returns the URL of a copy of a database nobody is connected to, on the same server */
export async function copyDatabase(databaseUrl: string, name: string): Promise<string> {
  const url = (database: string) => Object.assign(new URL(databaseUrl), { pathname: `/${database}` }).href;
  await using client = await openClient(url("postgres"));
  await client.query(
    `CREATE DATABASE ${name} TEMPLATE ${new URL(databaseUrl).pathname.slice(1)} STRATEGY file_copy`,
  );
  return url(name);
}

/**
 * What the append path is held against: the least PostgreSQL itself must do for one such append, in one statement and
 * one round trip. It writes three columns of the row and does not even check which sequence the writer expected.
 * @param n the used session's number: `$1`, or a variable of pgbench
 */
export const referenceStatement = (n: string, used: UsedSessions): string =>
  [
    `WITH changed AS (UPDATE sessions SET sequence = sequence + 1, token_digest = ${digestOf(n)}, changed_at = now()`,
    `WHERE id = ${usedIdOf(n, used)} RETURNING id, sequence, token_digest, changed_at)`,
    "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)",
    "SELECT 'session', id, sequence, 'session.token.set', jsonb_build_object('tokenDigest', token_digest), 'bench', changed_at",
    "FROM changed",
  ].join(" ");

/** What reading a session is held against: a row by its primary key. */
export const pointSelect = (n: string, used: UsedSessions): string =>
  `SELECT * FROM sessions WHERE id = ${usedIdOf(n, used)}`;
