import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { organizationAggregate } from "../../src/organization/organization.ts";
import { projections } from "../../src/projections/projections.ts";
import { rebuildProjections, verifyProjections } from "../../src/projections/replay.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { until } from "../crash/poll.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { humanAdded } from "../support/given.ts";

describe.each(engines)("the rows and the log on %s", (engine) => {
  let database: TestDatabase;
  let opened: OpenDatabase;
  const sessionId = uuidV7();

  beforeAll(async () => {
    database = await createTestDatabase(engine);
    opened = await database.open();
    const events = new EventRepository(opened.db, projections);
    await events.append([
      change(
        sessionAggregate,
        initialSession(sessionId),
        [
          {
            type: "session.added",
            payload: { user_agent: { fingerprint_id: "fp", header: { b: ["2"], a: ["1"] } } },
          },
          { type: "session.metadata.set", payload: { metadata: { z: "MQ==", a: "Mg==" } } },
          { type: "session.lifetime.set", payload: { lifetime: 90_000 } },
        ],
        "tester",
      ),
    ]);
    const userId = uuidV7();
    const token = (tokenId: string) => ({
      type: "user.pat.added" as const,
      payload: { tokenId, digest: `digest ${tokenId}`, expiration: "2030-01-01T00:00:00.000Z", scopes: [] },
    });
    await events.append([
      change(
        userAggregate,
        initialUser(userId),
        [
          humanAdded(),
          token("kept"),
          token("removed"),
          { type: "user.pat.removed", payload: { tokenId: "removed" } },
        ],
        "tester",
      ),
    ]);
    const organization = change(
      organizationAggregate,
      organizationAggregate.initialState(uuidV7()),
      [
        { type: "org.added", payload: { name: "Acme", primaryDomain: "acme.localhost" } },
        { type: "org.member.added", payload: { userId, roles: ["ORG_OWNER"] } },
      ],
      "tester",
    );
    const at = await events.append([organization]);
    await events.append([
      change(
        organizationAggregate,
        { ...organization.state, createdAt: at, changedAt: at },
        [{ type: "org.member.changed", payload: { userId, roles: ["ORG_OWNER_VIEWER"] } }],
        "tester",
      ),
    ]);
  });

  afterAll(async () => {
    await opened.close();
    await database.remove();
  });

  it("agree after every kind of write", async () => {
    const { aggregates, differences } = await verifyProjections(opened.db, projections);
    expect(differences).toEqual([]);
    // The first start's instance, organization and administrator, and the three made here.
    expect(aggregates).toBe(6);
  });

  it.each([
    [
      "a changed value",
      sql`UPDATE sessions SET fingerprint_id = 'other' WHERE id = ${sessionId}`,
      "sessions",
      "fingerprint_id",
    ],
    [
      "a changed document",
      sql`UPDATE sessions SET metadata = '{"z": "MQ=="}' WHERE id = ${sessionId}`,
      "sessions",
      "metadata",
    ],
    [
      "a shifted time",
      sql`UPDATE sessions SET lifetime_ends_at = lifetime_ends_at + interval '1 millisecond' WHERE id = ${sessionId}`,
      "sessions",
      "lifetime_ends_at",
    ],
    [
      "a missing row",
      sql`DELETE FROM personal_access_tokens WHERE id = 'kept'`,
      "personal_access_tokens",
      "*",
    ],
    [
      "a row too many",
      sql`INSERT INTO memberships SELECT user_id, 'elsewhere', roles, created_at, changed_at FROM memberships LIMIT 1`,
      "memberships",
      "*",
    ],
    ["a lost aggregate", sql`DELETE FROM organizations WHERE name = 'Acme'`, "organizations", "*"],
  ])("disagree after %s, and agree again once rebuilt", async (_, tamper, table, column) => {
    await tamper.execute(opened.db);
    const { differences } = await verifyProjections(opened.db, projections);
    expect(differences).toEqual([expect.objectContaining({ table, column })]);
    await rebuildProjections(opened.db, projections);
    expect((await verifyProjections(opened.db, projections)).differences).toEqual([]);
  });
});

describe("a rebuild beside a server", () => {
  let database: TestDatabase;
  let opened: OpenDatabase;
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    opened = await database.open();
  });
  afterAll(async () => {
    await opened.close();
    await database.remove();
  });

  const waitsFor = (table: string) =>
    until(`the rebuild to wait for ${table}`, async () => {
      const { rows } = await sql`SELECT 1 FROM pg_locks WHERE relation = ${table}::regclass
        AND mode = 'AccessExclusiveLock' AND NOT granted`.execute(opened.db);
      return rows.length > 0;
    });

  it("waits for its step, and the step not for it", async () => {
    const { db } = opened;
    const events = new EventRepository(db, projections);
    const added = change(
      sessionAggregate,
      initialSession(uuidV7()),
      [{ type: "session.added", payload: {} }],
      "tester",
    );
    const at = await events.append([added]);
    const session = { ...added.state, createdAt: at, changedAt: at };
    const rebuild = await db.transaction().execute(async (step) => {
      await sql`SELECT id FROM sessions WHERE id = ${session.id} FOR NO KEY UPDATE`.execute(step);
      const rebuilt = rebuildProjections(db, projections);
      await waitsFor("sessions");
      await events.appendWithin(step, [
        [change(sessionAggregate, session, [{ type: "session.dismissed", payload: {} }], "tester")],
      ]);
      return { rebuilt };
    });
    expect((await rebuild.rebuilt).rebuilt).toBeGreaterThan(0);
    expect((await verifyProjections(db, projections)).differences).toEqual([]);
  });

  it.each([
    ["sessions", "notifications"],
    ["notifications", "sessions"],
    ["session_counts", "sessions"],
    ["session_counts", "users"],
    ["events", "users"],
  ])("makes way for a transaction that has read %s and goes on to %s", async (first, second) => {
    const { db } = opened;
    const rebuilt = await db.transaction().execute(async (step) => {
      await sql`SELECT 1 FROM ${sql.table(first)} LIMIT 1`.execute(step);
      // Both would be content with a lock that lets readers in.
      if (first === "events") await sql`LOCK TABLE events IN ROW EXCLUSIVE MODE`.execute(step);
      const rebuilding = rebuildProjections(db, projections);
      // Unheard it would end the process before the expectation below.
      rebuilding.catch(() => {});
      await until("the rebuild to wait", async () => {
        const { rows } = await sql`SELECT 1 FROM pg_locks WHERE relation = ${first}::regclass
          AND NOT granted`.execute(opened.db);
        return rows.length > 0;
      });
      await sql`SELECT 1 FROM ${sql.table(second)} LIMIT 1`.execute(step);
      return { rebuilding };
    });
    expect((await rebuilt.rebuilding).rebuilt).toBeGreaterThan(0);
  });

  it("gives up if somebody holds a table for good, lets everybody else through meanwhile, and changes nothing", async () => {
    const { db } = opened;
    const rowsOf = async () => (await sql`SELECT xmin, * FROM sessions`.execute(db)).rows;
    const before = await rowsOf();
    await db.transaction().execute(async (holder) => {
      await sql`SELECT 1 FROM memberships`.execute(holder);
      const rebuilding = expect(rebuildProjections(db, projections, { attempts: 2 })).rejects.toMatchObject({
        code: "55P03",
      });
      await waitsFor("memberships");
      expect(await rowsOf()).toEqual(before);
      await rebuilding;
    });
    expect(await rowsOf()).toEqual(before);
  });
});
