import fc from "fast-check";
import { sql } from "kysely";
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
import type { SessionFilter, SessionStatus } from "../../src/storage/session-filter.ts";
import type { SessionRecord } from "../../src/storage/session-repository.ts";
import { upkeepStores } from "../../src/storage/upkeep-stores.ts";
import { createUser } from "../../src/user/create-user.ts";
import { userAggregate } from "../../src/user/user.ts";
import { engines } from "../support/databases.ts";
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
  });

  it("are right up to a number, too, while more than that are over and not written down", async () => {
    const totalOf = async (total: "exact" | number) => {
      const all = { filter: {}, visibility: "everything", sort: "creation", ascending: true } as const;
      const page = await background.sessions.search({ ...all, limit: 1, total });
      return { total: page.total!, isCapped: page.isTotalCapped };
    };
    const { total: others } = await totalOf("exact");
    for (let begun = 0; begun < others + 3; begun++)
      await take({ do: "begin", user: undefined, creator: 0, isPast: false }, []);
    await take({ do: "rule", filter: { creatorIds: ["creator-0"] } }, []);
    const { total: left } = await totalOf("exact");
    expect(left).toBeLessThanOrEqual(others);
    expect(await totalOf(left)).toEqual({ total: left, isCapped: false });
    await background.run();
    expect(await totalOf(left)).toEqual({ total: left, isCapped: false });
  });

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
