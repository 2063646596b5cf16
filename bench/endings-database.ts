import type pg from "pg";
import { deriveKey } from "../src/crypto/encryption.ts";
import { SessionTokens } from "../src/session/session-token.ts";
import { ADDING_CALLERS, addOrganization, addOutsider, addPeople, keepEndedSessions } from "./accounts.ts";
import { openApi } from "./api.ts";
import type { CheckedSession } from "./endings-checker.ts";
import { seededId, seedSessions } from "./session-seed.ts";
import type { Node } from "./stage.ts";

/** Of so many sessions in a row, some are another organization's, and some were ended before. */
const CYCLE = 112;
const OTHERS = 10;
const ENDED_BEFORE = 2;

/** Each user has about so many sessions. */
const SESSIONS_PER_USER = 200;

export type EndingsDatabase = {
  /** All of its sessions are to be ended. */
  organizationId: string;
  /** Users of another one. */
  bystanderIds: string[];
  /** Credential of an account without any permission. */
  outsider: string;
  /** Some sessions of both, active, with tokens that are accepted as credentials. */
  checked: CheckedSession[];
};

/**
 * Two organizations with their users, by the server, and their sessions, past it.
 * @param sessions active ones of the organization, as near as may be; the other has a tenth of that
 */
export async function fillForEndings(
  databaseUrl: string,
  node: Node,
  { sessions, checkedSessions }: { sessions: number; checkedSessions: number },
): Promise<EndingsDatabase> {
  const api = openApi(node, ADDING_CALLERS);
  await keepEndedSessions(api);
  const organizationId = await addOrganization(api, "Ending");
  const otherId = await addOrganization(api, "Staying");
  const outsider = await addOutsider(api, otherId);
  const userIds = await addPeople(api, organizationId, Math.ceil(sessions / SESSIONS_PER_USER));
  const bystanderIds = await addPeople(api, otherId, Math.ceil(sessions / 10 / SESSIONS_PER_USER));
  api.close();

  const count = Math.round((sessions * CYCLE) / (CYCLE - OTHERS - ENDED_BEFORE));
  const tokens = new SessionTokens(deriveKey(Buffer.from(node.masterKey, "hex"), "session token"));
  const tokenDigests = new Map<number, string>();
  const checked: CheckedSession[] = [];
  // An odd step meets every place of the cycle.
  for (let n = 1; n <= count; n += Math.floor(count / checkedSessions) | 1) {
    const isReached = n % CYCLE >= OTHERS;
    if (isReached && n % CYCLE < OTHERS + ENDED_BEFORE) continue;
    const { token, digest } = tokens.issue(seededId(n));
    tokenDigests.set(n, digest);
    checked.push({ sessionId: seededId(n), sessionToken: token, isReached });
  }
  const isOther = `n % ${CYCLE} < ${OTHERS}`;
  await seedSessions(databaseUrl, {
    count,
    userIds: [...userIds, ...bystanderIds],
    userOf: `1 + CASE WHEN ${isOther} THEN ${userIds.length} + n % ${bystanderIds.length} ELSE n % ${userIds.length} END`,
    days: 180,
    creatorIds: ["login", "console", "mobile"],
    devices: Math.ceil(count / SESSIONS_PER_USER),
    terminated: `NOT (${isOther}) AND n % ${CYCLE} < ${OTHERS + ENDED_BEFORE}`,
    tokenDigests,
  });
  return { organizationId, bystanderIds, outsider, checked };
}

/** What rows and events say about the organization's sessions and about all others. */
export type EndingsCount = {
  active: number;
  /** With an ending event; `byOperation`: exactly one, and it is the bulk ending's. */
  ended: number;
  byOperation: number;
  others: number;
  othersEnded: number;
  events: number;
};

/** @param operationId undefined: before there is one */
export async function countEndings(
  database: pg.Client,
  organizationId: string,
  operationId?: string,
): Promise<EndingsCount> {
  const { rows } = await database.query<Record<keyof EndingsCount, string>>(
    `SELECT
       count(*) FILTER (WHERE is_theirs AND status = 'active') AS active,
       count(*) FILTER (WHERE is_theirs AND events > 0) AS ended,
       count(*) FILTER (WHERE is_theirs AND events = 1 AND by_operation = 1) AS "byOperation",
       count(*) FILTER (WHERE NOT is_theirs) AS others,
       count(*) FILTER (WHERE NOT is_theirs AND events > 0) AS "othersEnded",
       coalesce(sum(events), 0) AS events
     FROM (
       SELECT s.status, s.user_organization_id IS NOT DISTINCT FROM $1 AS is_theirs, e.events, e.by_operation
       FROM sessions s LEFT JOIN (
         SELECT aggregate_id, count(*) AS events, count(*) FILTER (WHERE payload->>'operationId' = $2) AS by_operation
         FROM events WHERE aggregate_type = 'session' AND event_type IN ('session.terminated', 'session.expired')
         GROUP BY aggregate_id
       ) e ON e.aggregate_id = s.id
     ) counted`,
    [organizationId, operationId ?? ""],
  );
  const [counts] = rows;
  return Object.fromEntries(
    Object.entries(counts!).map(([name, count]) => [name, Number(count)]),
  ) as EndingsCount;
}
