import { type Kysely, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import { type OpenDatabase, openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { keptCountSql } from "../../src/storage/session-counts-sql.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { Database } from "../../src/storage/tables.ts";
import { upkeepStores } from "../../src/storage/upkeep-stores.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";

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
    expect(compacted).toBeGreaterThan(10);
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
