import fc from "fast-check";
import { type Kysely, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "../../src/auth/caller.ts";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { projections } from "../../src/projections/projections.ts";
import { rebuildProjections, verifyProjections } from "../../src/projections/replay.ts";
import { countDifferences } from "../../src/projections/session-counts.ts";
import { endingAggregate } from "../../src/session/ending/ending.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { mayRead } from "../../src/session/permissions.ts";
import { initialSession, sessionAggregate, standing } from "../../src/session/session.ts";
import { visibilityOf } from "../../src/session/session-queries.ts";
import { summaryOf } from "../../src/session/summary.ts";
import { change } from "../../src/storage/aggregate.ts";
import { type OpenDatabase, openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { keptCountSql } from "../../src/storage/session-counts-sql.ts";
import type { SessionFilter, SessionStatus } from "../../src/storage/session-filter.ts";
import { type SessionRecord, SessionRepository } from "../../src/storage/session-repository.ts";
import type { Database } from "../../src/storage/tables.ts";
import { upkeepStores } from "../../src/storage/upkeep-stores.ts";
import { createUser } from "../../src/user/create-user.ts";
import { userAggregate } from "../../src/user/user.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { type Background, openBackground } from "../upkeep/background.ts";
import { defaultOrganization, human, owner } from "../user/house.ts";

type Step =
  | { do: "begin"; user: number | undefined; creator: number; isPast: boolean }
  | { do: "identify" | "change" | "end" | "fold"; nth: number; user: number }
  | { do: "act"; user: number }
  | { do: "rule"; filter: SessionFilter }
  | { do: "write"; tasks: readonly string[] }
  | { do: "remove" | "compact"; limit: number }
  | { do: "rebuild" };

const CREATORS = ["creator-0", "creator-1"];
const person = fc.nat(1);
const rare = (one: number) => fc.integer({ min: 1, max: one }).map((n) => n === 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("begin" as const),
      user: fc.option(person, { nil: undefined, freq: 2 }),
      creator: person,
      isPast: rare(4),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("identify" as const, "change" as const, "end" as const, "fold" as const),
      nth: fc.nat(9),
      user: person,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("act" as const), user: person }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("rule" as const),
      filter: fc.constantFrom<SessionFilter>({ creatorIds: ["creator-0"] }, { organizationIds: ["home"] }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      tasks: fc.subarray(["user endings", "bulk endings", "sweep"], { minLength: 1 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("remove" as const, "compact" as const, "compact" as const),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: rare(3).map((is) => (is ? "rebuild" : "compact")), limit: fc.constant(3) }),
  },
) as fc.Arbitrary<Step>;

/** What chance brings together too seldom. */
const everything: Step[] = [
  { do: "begin", user: undefined, creator: 0, isPast: false },
  { do: "identify", nth: 0, user: 0 },
  { do: "begin", user: 1, creator: 1, isPast: true },
  { do: "begin", user: undefined, creator: 0, isPast: false },
  { do: "write", tasks: ["sweep"] },
  { do: "fold", nth: 1, user: 0 },
  { do: "end", nth: 2, user: 0 },
  { do: "compact", limit: 3 },
  { do: "remove", limit: 2 },
  { do: "rule", filter: { organizationIds: ["home"] } },
];

const STATUSES: SessionStatus[][] = [
  ["active"],
  ["expired"],
  ["ended"],
  ["active", "expired"],
  ["active", "ended"],
  ["expired", "ended"],
  ["active", "expired", "ended"],
];
const ASKERS: Caller[] = [owner, caller("creator-1", { home: ["ORG_OWNER"] }), caller("creator-0")];
const PAST: SessionEvent = {
  type: "session.lifetime.set",
  payload: { lifetime: 0, endsAt: "2026-01-01T00:00:00.000Z" },
};

describe.each(engines)("totals on %s", (engine) => {
  let background: Background;
  let users: string[];
  beforeAll(async () => {
    background = await openBackground(engine);
    const organizationId = await defaultOrganization(background);
    users = ["ada", "leo"];
    for (const id of users) await createUser(background, owner, { organizationId, human: human(id) });
  });
  // Which verifies the projections, too.
  afterAll(() => background.close());

  const differences = async () => (await verifyProjections(background.db, projections)).differences;

  it("are right after any sequence of what sessions go through, whatever is added up in between", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async (steps) => {
        const ids: string[] = [];
        for (const each of steps) {
          await take(each, ids);
          expect(await countDifferences(background.db)).toEqual([]);
        }
        await expectTotals();
        await background.run();
        await expectTotals();
      }),
      { numRuns: 5, endOnFailure: true, examples: [[everything]] },
    );
  }, 120_000);

  async function take(each: Step, ids: string[]): Promise<void> {
    const { db, events, upkeep } = background;
    const { upkeep: steps, retention, counts } = upkeepStores(db);
    switch (each.do) {
      case "begin": {
        const id = uuidV7();
        const history = [
          { type: "session.added", payload: {} },
          ...(each.user === undefined ? [] : [await checked(each.user)]),
          ...(each.isPast ? [PAST] : []),
        ] satisfies SessionEvent[];
        await events.append([change(sessionAggregate, initialSession(id), history, CREATORS[each.creator]!)]);
        ids.push(id);
        return;
      }
      case "rule": {
        const started = { type: "ending.started" as const, payload: { filter: each.filter } };
        const initial = endingAggregate.initialState(uuidV7());
        await events.append([change(endingAggregate, initial, [started], "the ruler")]);
        return;
      }
      case "act": {
        for (const type of ["user.locked", "user.unlocked"] as const) {
          const user = (await background.users.find(users[each.user]!))!;
          await events.append([change(userAggregate, user, [{ type, payload: {} }], "the actor")]);
        }
        return;
      }
      case "write":
        await upkeep.worker.runToEnd({ only: each.tasks, patienceMs: 0 });
        return;
      case "remove":
        await steps.step((within) => retention.removeSessions(within, 0, each.limit));
        return;
      case "compact":
        await steps.step((within) => counts.compact(within, each.limit));
        return;
      case "rebuild":
        await rebuildProjections(db, projections);
        return;
      case "fold":
        await steps.step(async (within) => {
          const sessions = await retention.lockUnfolded(within, ids.slice(each.nth, each.nth + 1));
          const folded = sessions.map((row) => ({
            id: row.id,
            sequence: row.sequence,
            summary: summaryOf(row),
          }));
          await retention.fold(within, folded);
        });
        return;
      default: {
        const id = ids[each.nth % ids.length];
        const record = id === undefined ? undefined : await background.sessions.find(id);
        if (record === undefined || standing(record) !== "active") return;
        const happened = {
          identify: async () => (record.session.userId === null ? [await checked(each.user)] : []),
          change: async () => [
            { type: "session.metadata.set" as const, payload: { metadata: { a: "MQ==" } } },
          ],
          end: async () => [
            { type: "session.terminated" as const, payload: { entitlement: "own" as const } },
          ],
        };
        const found: SessionEvent[] = await happened[each.do]();
        if (found.length > 0)
          await events.append([change(sessionAggregate, record.session, found, "somebody")]);
      }
    }
  }

  async function checked(user: number): Promise<Extract<SessionEvent, { type: "session.user.checked" }>> {
    const { id, sessionEpoch: userEpoch } = (await background.users.find(users[user]!))!;
    const userResourceOwner = ["home", "away"][user]!;
    const checkedAt = "2026-07-10T09:00:00.000Z";
    return { type: "session.user.checked", payload: { userID: id, userResourceOwner, userEpoch, checkedAt } };
  }

  /** Beside what the rules say of each session by itself. */
  async function expectTotals(): Promise<void> {
    const ids = await background.db.selectFrom("sessions").select("id").execute();
    const all = (await Promise.all(ids.map(({ id }) => background.sessions.find(id)))) as SessionRecord[];
    for (const asker of ASKERS) {
      for (const organizationIds of [undefined, ["away", "home"]]) {
        for (const statuses of STATUSES) {
          const { total } = await background.sessions.search({
            filter: { statuses, ...(organizationIds ? { organizationIds } : {}) },
            ...{
              visibility: visibilityOf(asker),
              sort: "creation",
              ascending: true,
              limit: 1,
              total: "exact",
            },
          });
          const expected = all.filter(
            (record) =>
              statuses.includes(standing(record)) &&
              mayRead(asker, record.session) &&
              (organizationIds?.includes(record.session.userOrganizationId ?? "") ?? true),
          );
          expect({ asker: asker.userId, organizationIds, statuses, total }).toEqual({
            ...{ asker: asker.userId, organizationIds, statuses, total: expected.length },
          });
        }
      }
    }
  }

  it("that are wrong are found by verify and repaired by rebuild", async () => {
    const { db } = background;
    await sql`UPDATE session_counts SET active = active + 1 WHERE organization_id = ''`.execute(db);
    await sql`INSERT INTO session_count_changes VALUES ('ghosts', 0, 2, 0)`.execute(db);
    expect(await differences()).toEqual([
      { table: "session_counts", key: "of all", column: "active" },
      { table: "session_counts", key: "of all", column: "expired" },
      { table: "session_counts", key: "ghosts", column: "expired" },
    ]);
    await rebuildProjections(db, projections);
    expect(await differences()).toEqual([]);
  });

  it("are added up in the background once it is worth it, and the space is given back", async () => {
    const { db, run } = background;
    const waiting = async () => {
      const { rows } = await sql<{ changes: number; bytes: number }>`
        SELECT count(*) AS changes, pg_relation_size('session_count_changes') AS bytes
        FROM session_count_changes`.execute(db);
      return Object.values(rows[0]!).map(Number);
    };
    await run();
    const [few] = await waiting();
    expect(few).toBeLessThan(500);
    // Comes to nothing in the end.
    await sql`
      INSERT INTO session_count_changes
      SELECT CASE WHEN n % 4 > 1 THEN 'home' END, 1 - 2 * (n % 2), 0, 0 FROM generate_series(1, 30000) n`.execute(
      db,
    );
    await run();
    expect(await waiting()).toEqual([0, 0]);
    expect(await differences()).toEqual([]);
  });
});

describe("totals of PostgreSQL while many write", () => {
  let database: TestDatabase;
  let nodes: OpenDatabase[];
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    nodes = [openPostgres(database.config.databaseUrl!), openPostgres(database.config.databaseUrl!)];
  });
  afterAll(async () => {
    for (const { close } of nodes) await close();
    await database.remove();
  });

  const eventsOf = ({ db }: OpenDatabase) => new EventRepository(db, projections, { lanes: 2 });
  const begin = async (events: EventRepository, nth: number): Promise<string> => {
    const history: SessionEvent[] = [{ type: "session.added", payload: {} }];
    if (nth % 3 > 0)
      history.push({
        type: "session.user.checked",
        payload: {
          ...{ userID: `user-${nth}`, userResourceOwner: nth % 3 === 1 ? "home" : "away", userEpoch: 0 },
          checkedAt: "2026-07-10T09:00:00.000Z",
        },
      });
    const begun = change(sessionAggregate, initialSession(uuidV7()), history, "tester");
    await events.append([begun]);
    return begun.id;
  };

  /** What is kept, beside the rows, in one statement. */
  async function seen(db: Kysely<Database>) {
    const inView = ["active", "expired"] as const;
    const { rows } = await sql<Record<"kept" | "counted" | "keptAtHome" | "countedAtHome", number>>`
      SELECT ${keptCountSql(inView, "every")} AS kept, ${keptCountSql(inView, ["home"])} AS kept_at_home,
        count(*) AS counted, count(*) FILTER (WHERE user_organization_id = 'home') AS counted_at_home
      FROM sessions WHERE status <> 'terminated'`.execute(db);
    return rows[0]!;
  }

  it("are those of every snapshot, while two servers begin, end and add up", async () => {
    const CALLERS = 8;
    const EACH = 40;
    let isOver = false;
    let compacted = 0;
    let looks = 0;
    const totals = new Set<number>();
    const writing = Promise.all(
      Array.from({ length: CALLERS }, async (_, nth) => {
        const node = nodes[nth % 2]!;
        const [events, sessions] = [eventsOf(node), new SessionRepository(node.db)];
        for (let at = 0; at < EACH; at++) {
          const id = await begin(events, at);
          if (at % 2 === 0) continue;
          const { session } = (await sessions.find(id))!;
          const ended: SessionEvent = { type: "session.terminated", payload: { entitlement: "own" } };
          await events.append([change(sessionAggregate, session, [ended], "tester")]);
        }
      }),
    ).finally(() => {
      isOver = true;
    });
    const compacting = nodes.map(async ({ db }) => {
      const { upkeep, counts } = upkeepStores(db);
      while (!isOver) compacted += (await upkeep.step((step) => counts.compact(step, 5))) ?? 0;
    });
    const looking = (async () => {
      while (!isOver) {
        const { kept, counted, keptAtHome, countedAtHome } = await seen(nodes[looks % 2]!.db);
        expect([kept, keptAtHome]).toEqual([counted, countedAtHome]);
        totals.add(Number(kept));
        looks += 1;
      }
    })();
    await Promise.all([writing, looking, ...compacting]);
    expect(compacted).toBeGreaterThan(50);
    expect(totals.size).toBeGreaterThan(5);
    expect(Number((await seen(nodes[0]!.db)).kept)).toBe((CALLERS * EACH) / 2);
    expect((await verifyProjections(nodes[0]!.db, projections)).differences).toEqual([]);
  });

  it("hold up nobody who writes while they are added up, and no second server tries to", async () => {
    const [one, other] = nodes as [OpenDatabase, OpenDatabase];
    await begin(eventsOf(one), 1);
    const before = Number((await seen(one.db)).kept);
    const { upkeep, counts } = upkeepStores(one.db);
    const others = upkeepStores(other.db);
    await upkeep.step(async (step) => {
      expect(await counts.compact(step, 100)).toBeGreaterThan(0);
      await begin(eventsOf(other), 1);
      expect(await others.upkeep.step((within) => others.counts.compact(within, 100))).toBeUndefined();
      expect(Number((await seen(other.db)).kept)).toBe(before + 1);
    });
    expect(Number((await seen(other.db)).kept)).toBe(before + 1);
  });

  it("count an append that is undone as nothing", async () => {
    const [{ db }] = nodes as [OpenDatabase];
    const before = await seen(db);
    const undone = db.transaction().execute(async (trx) => {
      await sql`UPDATE sessions SET status = 'terminated'`.execute(trx);
      expect(Number((await seen(trx)).kept)).toBe(0);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(await seen(db)).toEqual(before);
  });
});
