import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SessionFilter, SessionStatus } from "../../src/storage/session-filter.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { Place, SessionSearch } from "../../src/storage/session-search.ts";
import type { Visibility } from "../../src/storage/session-visibility-sql.ts";
import type { Database } from "../../src/storage/tables.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { fillSessions, many } from "./many-sessions.ts";

const COUNT = 200_000;
const LIMIT = 100;

/** A node of a plan that was carried out; numbers are per loop. */
type PlanNode = {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  Plans?: PlanNode[];
};

type Statement = { sql: string; parameters: readonly unknown[] };

let database: TestDatabase;
let pool: pg.Pool;
let db: Kysely<Database>;
let sessions: SessionRepository;
/** What the repository sent, in its order. */
let sent: Statement[] = [];
/** Somewhere in the middle of all sessions. */
let middle: Place;
let someIds: string[];

beforeAll(async () => {
  database = await createTestDatabase("postgres");
  pool = new pg.Pool({ connectionString: database.config.databaseUrl!, max: 1 });
  // Removing the database cuts what is still open.
  pool.on("error", () => {});
  db = new Kysely({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    log: ({ query }) => void sent.push(query),
  });
  await fillSessions(db, COUNT);
  sessions = new SessionRepository(db);
  const all = db.selectFrom("sessions").select(["id", "createdAt"]).where("status", "=", "active");
  const { id, createdAt } = await all.orderBy("createdAt").offset(30_000).limit(1).executeTakeFirstOrThrow();
  middle = { at: createdAt.toISOString(), id };
  someIds = (await all.where("userId", "=", many.busyUser).limit(LIMIT).execute()).map((row) => row.id);
}, 600_000);

afterAll(async () => {
  await db.destroy();
  await database.remove();
});

/** The plan of the statement that a search's answer came from. */
async function planOf(search: Partial<SessionSearch>): Promise<PlanNode> {
  sent = [];
  await sessions.search({
    filter: {},
    visibility: "everything",
    sort: "creation",
    ascending: false,
    limit: LIMIT,
    total: "none",
    ...search,
  });
  const { sql, parameters } = sent.findLast((statement) => /\bFROM sessions\b/.test(statement.sql))!;
  const { rows } = await pool.query(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${sql}`, [...parameters]);
  return rows[0]["QUERY PLAN"][0].Plan;
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
const rowsOf = (node: PlanNode) =>
  (node["Actual Rows"] +
    (node["Rows Removed by Filter"] ?? 0) +
    (node["Rows Removed by Index Recheck"] ?? 0)) *
  node["Actual Loops"];

/** What was read of the sessions, and how. */
function summary(plan: PlanNode) {
  const nodes = nodesOf(plan);
  const scans = nodes.filter(
    (node) => node["Relation Name"] === "sessions" || node["Index Name"]?.startsWith("sessions_"),
  );
  return {
    /** The primary key brings the rows of the page, whatever its order comes from. */
    indexes: [...new Set(scans.flatMap((node) => node["Index Name"] ?? []))].filter(
      (name) => name !== "sessions_pkey",
    ),
    sequential: nodes.filter(
      (node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === "sessions",
    ).length,
    read: Math.max(...scans.map(rowsOf)),
    sorted: Math.max(
      0,
      ...nodes.filter((node) => /Sort/.test(node["Node Type"])).map((node) => rowsOf(node.Plans![0]!)),
    ),
  };
}

const own = (userId: string, organizationIds: string[] = []): Visibility => ({
  userId,
  agentId: undefined,
  organizationIds,
});

type Kind = [name: string, search: () => Partial<SessionSearch>, indexes: string[], atMost?: number];

/** A row more than a page tells whether there is another one. */
const PAGE = LIMIT + 1;

const byFilter = (name: string, filter: () => SessionFilter, indexes: string[], atMost?: number): Kind[] => [
  [name, () => ({ filter: filter() }), indexes, atMost],
  [`${name}, from its beginning`, () => ({ filter: filter(), ascending: true }), indexes, atMost],
  [`${name}, from a cursor on`, () => ({ filter: filter(), after: middle }), indexes, atMost],
];
const standing =
  (...statuses: SessionStatus[]) =>
  () => ({ statuses });

const kinds: Kind[] = [
  ...byFilter("the first page", () => ({}), ["created_at"]),
  ...byFilter("active ones", standing("active"), ["created_at"]),
  ...byFilter("expired ones", standing("expired"), ["created_at", "expires_at"]),
  ...byFilter("ended ones", standing("ended"), ["ended_created_at"]),
  ...byFilter("all there are", standing("active", "expired", "ended"), ["ended_created_at", "created_at"]),
  ...byFilter(
    "ended ones by reason",
    () => ({ statuses: ["ended"], reasons: ["user_locked", "user_deleted"] }),
    ["ended_reason"],
  ),
  ...byFilter("by ids", () => ({ ids: someIds }), []),
  ...byFilter("by user", () => ({ userIds: [many.user] }), ["user_id"]),
  ...byFilter("by a user with many", () => ({ userIds: [many.busyUser] }), ["user_id"]),
  ...byFilter("by users", () => ({ userIds: [many.user, many.busyUser, "nobody"] }), ["user_id"]),
  ...byFilter("by organization", () => ({ organizationIds: [many.organization] }), ["organization_id"]),
  ...byFilter(
    "active ones by organizations",
    () => ({ organizationIds: [many.organization, "organization-1"], statuses: ["active"] }),
    ["organization_id"],
  ),
  ...byFilter("by creator", () => ({ creatorIds: [many.login] }), ["creator_id"]),
  ...byFilter("by a creator of few", () => ({ creatorIds: [many.creator] }), ["creator_id"]),
  ...byFilter("by fingerprint", () => ({ fingerprintIds: [many.fingerprint] }), ["fingerprint_id"]),
  ...byFilter("by address", () => ({ addresses: [many.address] }), ["ip"]),
  ["by network, which is read as a whole", () => ({ filter: { addresses: [many.network] } }), ["ip"], 1_000],
  ["as an ordinary caller", () => ({ visibility: own(many.user) }), ["user_id", "creator_id"]],
  ["as a user with many", () => ({ visibility: own(many.busyUser) }), ["user_id", "creator_id"]],
  ["as the creator of most", () => ({ visibility: own(many.login) }), ["user_id", "creator_id"]],
  [
    "as an organization's owner",
    () => ({ visibility: own("nobody", [many.organization]) }),
    ["user_id", "creator_id", "organization_id"],
  ],
  [
    "as an organization's owner, from a cursor on",
    () => ({ visibility: own("nobody", [many.organization]), after: middle }),
    ["user_id", "creator_id", "organization_id"],
  ],
  [
    "as an ordinary caller who asks for what somebody else created",
    () => ({ visibility: own(many.user), filter: { creatorIds: [many.login] } }),
    ["user_id"],
  ],
  [
    "as nobody who asks for an organization",
    () => ({ visibility: own("nobody"), filter: { organizationIds: [many.organization] } }),
    ["user_id", "creator_id"],
  ],
];

describe("a page of many sessions is a few short reads of an index", () => {
  it.each(kinds)("%s", async (_, search, indexes, atMost = 4 * PAGE) => {
    const plan = await planOf(search());
    const { indexes: used, sequential, read, sorted } = summary(plan);
    expect(used.sort()).toEqual(indexes.map((name) => `sessions_${name}`).sort());
    expect(
      { sequential, isShort: read <= atMost, isSortedShort: sorted <= atMost },
      `${read} ${sorted}`,
    ).toEqual({
      sequential: 0,
      isShort: true,
      isSortedShort: true,
    });
  });
});

describe("an exact total of what is in view is counted in an index", () => {
  it.each<[string, Partial<SessionSearch>, string]>([
    ["of a user", { criteria: [{ by: "userId", id: many.busyUser }] }, "user_id"],
    ["of a creator", { criteria: [{ by: "creatorId", id: many.login }] }, "creator_id"],
    ["of a fingerprint", { criteria: [{ by: "fingerprintId", id: many.fingerprint }] }, "fingerprint_id"],
    ["of what the creator of most sees", { visibility: own(many.login) }, "creator_id"],
  ])("%s", async (_, search, index) => {
    const plan = await planOf({ ...search, total: "exact" });
    const { indexes, sequential } = summary(plan);
    expect(sequential).toBe(0);
    expect(indexes).toContain(`sessions_${index}`);
    const [largest] = nodesOf(plan)
      .filter((node) => node["Index Name"] !== undefined)
      .sort((a, b) => rowsOf(b) - rowsOf(a));
    expect(largest!["Node Type"]).toBe("Index Only Scan");
  });
});

describe("an exact total of everything or of organizations costs no look at the sessions it counts", () => {
  const organizationIds = [many.organization, "organization-1"];
  const statuses: SessionStatus[] = ["ended", "active"];
  it.each<[string, Partial<SessionSearch>]>([
    ["of all", {}],
    ["of active ones", { filter: { statuses: ["active"] } }],
    ["of expired ones", { filter: { statuses: ["expired"] } }],
    ["of ended and active ones", { filter: { statuses } }],
    ["of all there are", { filter: { statuses: ["expired", ...statuses] } }],
    ["of organizations", { filter: { organizationIds } }],
    [
      "of an organization's ended and active ones",
      { filter: { organizationIds: [many.organization], statuses } },
    ],
    ["of what an organization's owner sees", { visibility: own("nobody", [many.organization]) }],
  ])("%s", async (_, search) => {
    const { sequential, read } = summary(await planOf({ ...search, total: "exact" }));
    expect([sequential, read <= 4 * PAGE], `${read}`).toEqual([0, true]);
  });
});

describe("a capped total stops at its cap", () => {
  it.each<[string, Partial<SessionSearch>]>([
    ["of all", {}],
    ["of ended ones", { filter: { statuses: ["ended"] } }],
    ["of an organization", { filter: { organizationIds: [many.organization] } }],
    ["of what an organization's owner sees", { visibility: own("nobody", [many.organization]) }],
  ])("%s", async (_, search) => {
    const cap = 1_000;
    const plan = await planOf({ ...search, total: cap });
    const { sequential, read } = summary(plan);
    expect([sequential, read <= 2 * (cap + 1)]).toEqual([0, true]);
  });
});

describe("while endings wait for their events, a page is as short", () => {
  beforeAll(async () => {
    const rules: SessionFilter[] = [{ fingerprintIds: [many.fingerprint] }, { userIds: [many.busyUser] }];
    await db
      .insertInto("endings")
      .values(
        rules.map((filter, index) => ({
          ...{ id: `rule-${index}`, sequence: 1, status: "running" as const, actorId: "ruler", ended: 0 },
          filter: JSON.stringify(filter) as never,
          ...{ createdAt: new Date(), changedAt: new Date() },
        })),
      )
      .execute();
    const acts = Array.from({ length: 1_000 }, (_, person) => ({
      ...{ userId: `user-${100 + person}`, epoch: 0, reason: "user_locked" as const, actorId: "admin" },
      ...{ endedAt: new Date(), sequence: 2, isDone: person >= 20 },
    }));
    await db.insertInto("userEndings").values(acts).execute();
    await pool.query("ANALYZE endings, user_endings");
  });

  it.each<[string, Partial<SessionSearch>]>([
    ["of all", {}],
    ["of active ones", { filter: { statuses: ["active"] } }],
    ["of expired ones", { filter: { statuses: ["expired"] } }],
    ["of all there are", { filter: { statuses: ["active", "expired", "ended"] } }],
    ["of an organization's", { filter: { organizationIds: [many.organization] } }],
    ["of what an organization's owner sees", { visibility: own("nobody", [many.organization]) }],
  ])("%s", async (_, search) => {
    const { sequential, read } = summary(await planOf(search));
    expect([sequential, read <= 10 * PAGE], `${read}`).toEqual([0, true]);
  });

  it.each<[string, Partial<SessionSearch>, number]>([
    ["of ended ones", { filter: { statuses: ["ended"] } }, 1_000],
    ["of locked ones", { filter: { statuses: ["ended"], reasons: ["user_locked"] } }, 1_000],
  ])("%s, but for reading what ended them", async (_, search, atMost) => {
    const { sequential, read } = summary(await planOf(search));
    expect([sequential, read <= atMost], `${read}`).toEqual([0, true]);
  });
});
