import { ADDING_CALLERS, addOrganization, addPeople, keepEndedSessions } from "./accounts.ts";
import { openApi } from "./api.ts";
import type { Child } from "./child.ts";
import { openClient } from "./database-client.ts";
import { seededId, seedSessions } from "./session-seed.ts";
import type { Node, Stage } from "./stage.ts";
import { sizesOf, type TableSizes } from "./table-sizes.ts";

/** A server with a past. */
export type GrownDatabase = {
  sessions: number;
  databaseUrl: string;
  node: Node;
  userIds: string[];
  /** Some of the sessions, from all over the tables. */
  sessionIds: string[];
  /** When nothing but them was there. */
  tables: TableSizes;
};

/** Each person has about so many sessions. */
const ALIKE = 200;
const LEAST_PEOPLE = 100;
const SOME = 1_000;
export const LONG_HISTORY = 100_000;

/** Half a year of sessions, each with its events, about people who each have some hundred. */
export async function growDatabase(
  undo: AsyncDisposableStack,
  stage: Child<Stage>,
  sessions: number,
): Promise<GrownDatabase> {
  const name = `growth_${sessions}`;
  const databaseUrl = await stage.call("createDatabase", name);
  undo.defer(() => stage.call("dropDatabase", name));
  const node = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", node));
  const api = openApi(node, ADDING_CALLERS);
  await keepEndedSessions(api);
  const organizationId = await addOrganization(api, "Growth");
  const userIds = await addPeople(api, organizationId, Math.max(LEAST_PEOPLE, Math.ceil(sessions / ALIKE)));
  api.close();
  const devices = Math.ceil(sessions / ALIKE);
  await seedSessions(databaseUrl, {
    count: sessions,
    userIds,
    days: 180,
    creatorIds: ["bench"],
    devices,
    plain: true,
  });
  await using client = await openClient(databaseUrl);
  const tables = await sizesOf(client);
  const every = Math.floor((sessions - 1) / SOME);
  const sessionIds = Array.from({ length: SOME }, (_, index) => seededId(1 + index * every));
  return { sessions, databaseUrl, node, userIds, sessionIds, tables };
}

/** Gives a session a long history, as if its token had been renewed so often. */
export async function lengthen(databaseUrl: string, sessionId: string): Promise<void> {
  await using client = await openClient(databaseUrl);
  await client.query("BEGIN");
  await client.query(
    `INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
     SELECT 'session', id, sequence + n, 'session.token.set', jsonb_build_object('tokenDigest', token_digest),
       creator_id, changed_at
     FROM sessions, generate_series(1, $2::int) AS n WHERE id = $1`,
    [sessionId, LONG_HISTORY],
  );
  await client.query("UPDATE sessions SET sequence = sequence + $2 WHERE id = $1", [sessionId, LONG_HISTORY]);
  await client.query("COMMIT");
}
