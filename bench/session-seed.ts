import type pg from "pg";
import { openClient } from "./database-client.ts";

/** Sessions to be put into the tables past the server, rows and events, as if they had been made one by one. */
export type SessionSeed = {
  /** Numbered from 1. In what follows, SQL is on the number `n`. */
  count: number;
  /** Whom they are about; users that are there already. None: they are anonymous. */
  userIds: readonly string[];
  /** SQL: which of them, from 1. By default any. */
  userOf?: string;
  /** Created evenly over so many days until now. */
  days: number;
  /** Which applications made them. */
  creatorIds: readonly string[];
  /** Different user agents and addresses among them; 0: no fingerprint, one address. */
  devices: number;
  /** Only the user is checked: no other factors, no metadata, no lifetime. */
  plain?: boolean;
  /** SQL booleans: which were ended by DeleteSession, and which by time. */
  terminated?: string;
  expired?: string;
  /** Digests of real tokens, by number; their sessions have a proven password. The others' can't be guessed. */
  tokenDigests?: ReadonlyMap<number, string>;
};

/** The id of the n-th seeded session as SQL; n is an expression. */
export const idOf = (n: string): string => `'${ID_PREFIX}' || lpad((${n})::text, 12, '0')`;

/** The id of the n-th seeded session. */
export const seededId = (n: number): string => ID_PREFIX + String(n).padStart(12, "0");

const ID_PREFIX = "0197a000-0000-7000-8000-";

/** As long as a real one: SHA-256 in base64url. */
export const digestOf = (n: string): string => `rpad(md5((${n})::text), 43, 'A')`;

/** A number from 0 to m - 1 that has nothing to do with that of another salt, but is the same each time. */
export const pick = (salt: number, m: number | string): string =>
  `((hashint8extended(n, ${salt}) & 1073741823) % ${m})`;

/** Metadata of about every tenth seeded session, as stored: standard base64. */
export const GOLD = { tier: "Z29sZA==" };

/** Values of user agents, so that some can be asked for. */
export const fingerprintOf = (device: number): string => `device-${device}`;
export const addressOf = (device: number): string =>
  `10.${device >> 16}.${(device >> 8) & 255}.${device & 255}`;

/** Fills the tables of a migrated database, with fresh statistics and a clean visibility map at the end. */
export async function seedSessions(url: string, seed: SessionSeed): Promise<void> {
  await using client = await openClient(url);
  const indexes = await dropIndexes(client);
  await insertSessions(client, seed);
  for (const definition of indexes) await client.query(definition);
  await insertEvents(url, seed.count);
  await client.query("VACUUM (ANALYZE) sessions, events, users");
}

/** All of the sessions' but the primary key: to fill them afterwards takes a third of the time. */
async function dropIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    "SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'sessions' AND indexname <> 'sessions_pkey'",
  );
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
  return rows.map(({ definition }) => definition);
}

async function insertSessions(client: pg.Client, seed: SessionSeed): Promise<void> {
  const { count, userIds, days, creatorIds, devices, tokenDigests = new Map<number, string>() } = seed;
  await client.query("SET work_mem = '256MB'");
  await client.query(
    `CREATE TEMP TABLE chosen_users AS
     SELECT slot, id, organization_id, session_epoch, password_epoch
     FROM unnest($1::text[]) WITH ORDINALITY AS chosen(id, slot) JOIN users USING (id)`,
    [userIds],
  );
  await client.query(
    "CREATE TEMP TABLE real_tokens AS SELECT * FROM unnest($1::bigint[], $2::text[]) AS real(n, digest)",
    [[...tokenDigests.keys()], [...tokenDigests.values()]],
  );
  await client.query("ANALYZE chosen_users, real_tokens");
  const metadata = `jsonb_build_object('device', 'bGFwdG9w', 'tier', CASE WHEN ${pick(3, 10)} = 0 THEN '${GOLD.tier}' ELSE 'cGxhaW4=' END)`;
  const unlessPlain = (condition: string) => (seed.plain ? "false" : condition);
  const isOld = "at < now() - interval '1 day'";
  const userOf = userIds.length === 0 ? "NULL::bigint" : (seed.userOf ?? `1 + ${pick(1, userIds.length)}`);
  const device = devices === 0 ? "NULL::text" : `'device-' || ${pick(2, devices)}`;
  const address =
    devices === 0
      ? "'192.0.2.7'"
      : // The same as `addressOf`, of another device than the fingerprint's.
        `'10.' || (address >> 16) || '.' || ((address >> 8) & 255) || '.' || (address & 255)`;
  const insert = `
    INSERT INTO sessions (id, sequence, status, creator_id, user_id, user_organization_id, user_epoch, factors,
      metadata, fingerprint_id, user_agent, token_digest, lifetime_ends_at, last_used_at, ending, ended_at, created_at,
      changed_at)
    SELECT ${idOf("n")},
      2 + ${seed.plain ? 0 : 1} + (user_id IS NOT NULL)::int + has_password::int + has_totp::int + (lifetime IS NOT NULL)::int + (status <> 'active')::int,
      status, creator_id, user_id, organization_id, session_epoch,
      jsonb_strip_nulls(jsonb_build_object(
        'user', CASE WHEN user_id IS NOT NULL THEN jsonb_build_object('checkedAt', iso) END,
        'password', CASE WHEN has_password THEN jsonb_build_object('checkedAt', iso, 'epoch', password_epoch) END,
        'totp', CASE WHEN has_totp THEN jsonb_build_object('checkedAt', iso) END)),
      ${seed.plain ? "'{}'::jsonb" : metadata},
      device, jsonb_build_object('ip', ${address}, 'description', 'Firefox 140 on Linux'),
      coalesce(digest, ${digestOf("n")}), at + lifetime, at,
      CASE status WHEN 'terminated' THEN jsonb_build_object('reason', status, 'actorId', creator_id, 'entitlement', 'permission')
        WHEN 'expired' THEN jsonb_build_object('reason', status, 'actorId', NULL) END,
      CASE status WHEN 'terminated' THEN at + interval '10 minutes' WHEN 'expired' THEN at + lifetime END,
      at,
      CASE status WHEN 'terminated' THEN at + interval '10 minutes' WHEN 'expired' THEN at + lifetime + interval '1 second' ELSE at END
    FROM (
      SELECT n, at, status, digest, device, address, creator_id, u.id AS user_id, organization_id, session_epoch, password_epoch,
        u.id IS NOT NULL AND (digest IS NOT NULL OR ${unlessPlain(`${pick(4, 4)} > 0`)}) AS has_password,
        u.id IS NOT NULL AND ${unlessPlain(`${pick(5, 4)} = 0`)} AS has_totp,
        CASE WHEN status = 'expired' THEN interval '1 hour' WHEN ${unlessPlain(`${pick(6, 2)} = 0`)} THEN interval '9600 hours' END AS lifetime,
        to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS iso
      FROM (
        SELECT n, at, ${userOf} AS slot, ${device} AS device, ${pick(7, Math.max(devices, 1))} AS address,
          ($1::text[])[1 + ${pick(8, creatorIds.length)}] AS creator_id,
          CASE WHEN ${isOld} AND (${seed.terminated ?? false}) THEN 'terminated'
            WHEN ${isOld} AND (${seed.expired ?? false}) THEN 'expired' ELSE 'active' END AS status
        FROM generate_series($2::bigint, $3::bigint) n
        CROSS JOIN LATERAL (SELECT date_trunc('milliseconds', now() - interval '24 hours' * ${days} * (1 - n / ${count}.0)) AS at) t
      ) plain
      LEFT JOIN chosen_users u USING (slot)
      LEFT JOIN real_tokens USING (n)
    ) drawn
    ORDER BY n`;
  for (const [first, last] of portions(1, count)) await client.query(insert, [creatorIds, first, last]);
}

/** Sessions of one statement: of ten million at once the sort alone would fill the disk. */
const PORTION = 500_000;

/** The numbers from first to last, in portions that follow each other. */
function* portions(first: number, last: number): Generator<[first: number, last: number]> {
  for (let from = first; from <= last; from += PORTION) yield [from, Math.min(last, from + PORTION - 1)];
}

/** Two at once: more would only wait for each other. */
const LANES = 2;

/** What the rows fold from. */
async function insertEvents(url: string, count: number): Promise<void> {
  const border = (index: number) => Math.floor((count * index) / LANES);
  const lane = async (index: number) => {
    await using client = await openClient(url);
    for (const [first, last] of portions(border(index) + 1, border(index + 1))) {
      await client.query(
        `INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
         SELECT 'session', s.id, e.sequence, e.event_type, e.payload, coalesce(e.actor_id, s.creator_id), coalesce(e.at, s.created_at)
         FROM sessions s CROSS JOIN LATERAL (
           SELECT row_number() OVER () AS sequence, e.*
           FROM (VALUES ${eventValues}) AS e(event_type, payload, actor_id, at) WHERE e.payload IS NOT NULL
         ) e
         WHERE s.id >= $1 AND s.id <= $2`,
        [seededId(first), seededId(last)],
      );
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
}

/** In their order; without a payload there was no such event. */
const eventValues = [
  `('session.added', jsonb_build_object('user_agent', jsonb_strip_nulls(s.user_agent || jsonb_build_object('fingerprint_id', s.fingerprint_id))), NULL::text, NULL::timestamptz)`,
  `('session.user.checked', CASE WHEN s.user_id IS NOT NULL THEN jsonb_build_object('userID', s.user_id,
     'userResourceOwner', s.user_organization_id, 'userEpoch', s.user_epoch, 'checkedAt', s.factors->'user'->'checkedAt') END, NULL, NULL)`,
  `('session.password.checked', CASE WHEN s.factors ? 'password' THEN jsonb_build_object(
     'checkedAt', s.factors->'password'->'checkedAt', 'passwordEpoch', s.factors->'password'->'epoch') END, NULL, NULL)`,
  `('session.totp.checked', s.factors->'totp', NULL, NULL)`,
  `('session.metadata.set', CASE WHEN s.metadata <> '{}' THEN jsonb_build_object('metadata', s.metadata) END, NULL, NULL)`,
  `('session.lifetime.set', CASE WHEN s.lifetime_ends_at IS NOT NULL THEN
     jsonb_build_object('lifetime', (extract(epoch FROM s.lifetime_ends_at - s.created_at) * 1000)::bigint) END, NULL, NULL)`,
  `('session.token.set', jsonb_build_object('tokenDigest', s.token_digest), NULL, NULL)`,
  `('session.terminated', CASE s.status WHEN 'terminated' THEN '{"entitlement": "permission"}'::jsonb END, NULL, s.changed_at)`,
  `('session.expired', CASE s.status WHEN 'expired' THEN '{}'::jsonb END, 'system', s.changed_at)`,
].join(", ");
