import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { idpIntentAggregate } from "../../src/idp/intent.ts";
import { Metrics } from "../../src/metrics.ts";
import type { NotificationEvent } from "../../src/notification/events.ts";
import { notificationAggregate } from "../../src/notification/notification.ts";
import type { InstanceEvent } from "../../src/organization/events.ts";
import { instanceAggregate } from "../../src/organization/instance.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import { endSessions, getOperation } from "../../src/session/end-sessions.ts";
import { endingAggregate } from "../../src/session/ending/ending.ts";
import { standing } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import { openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { upkeepStores } from "../../src/storage/upkeep-stores.ts";
import { composeUpkeep } from "../../src/upkeep/compose-upkeep.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { outcomeOf } from "../session/rooms.ts";
import { createTestDatabase, engines } from "../support/databases.ts";
import { owner } from "../user/house.ts";
import {
  addSessions,
  age,
  type Background,
  doneBy,
  holding,
  lifetime,
  ofUser,
  openBackground,
  pastExpiry,
} from "./background.ts";

/** Changes the retention, as an administrator does. */
async function keepFor(
  { events, organizations }: Pick<Background, "events" | "organizations">,
  retention: { foldAfterDays: number; removeAfterDays: number },
): Promise<void> {
  const instance = (await organizations.instance())!;
  const changed: InstanceEvent = {
    type: "instance.session.settings.changed",
    payload: { ...settingsOf(instance).session, retention },
  };
  await events.append([change(instanceAggregate, instance, [changed], owner.userId)]);
}

type StoredEvent = { type: string; sequence: number; place: string; createdAt: Date };

describe.each(engines)("retention on %s", (engine) => {
  let background: Background;
  beforeAll(async () => {
    background = await openBackground(engine);
  });
  beforeEach(() => keepFor(background, { foldAfterDays: 30, removeAfterDays: 90 }));
  afterEach(async () => {
    expect((await verifyProjections(background.db, projections)).differences).toEqual([]);
  });
  afterAll(() => background.close());

  /** With a memory of nothing, as after a start. */
  const run = async () => doneBy(await background.another().worker.runToEnd());
  const end = (sessionId: string) => deleteSession(background, owner, { sessionId });
  const ended = async (count: number) => {
    const ids = await addSessions(background, count);
    await endSessions(background, owner, { filter: { ids }, all: false });
    await run();
    return ids;
  };
  const expired = async () => {
    const [id] = await addSessions(background, 1, () => [lifetime()]);
    await pastExpiry(background, id!);
    await run();
    return id!;
  };
  const rowOf = async (id: string) => {
    const { rows } = await sql<{ row: Record<string, unknown> }>`
      SELECT to_jsonb(s) - 'is_folded' AS row FROM sessions s WHERE id = ${id}`.execute(background.db);
    return rows[0]?.row;
  };
  const logOf = async (id: string): Promise<StoredEvent[]> => {
    const { rows } = await sql<StoredEvent>`
      SELECT event_type AS type, sequence, tx::text || ' ' || position AS place, created_at FROM events
      WHERE aggregate_id = ${id} ORDER BY sequence`.execute(background.db);
    return rows;
  };
  const typesOf = async (id: string) => (await logOf(id)).map(({ type }) => type);

  it("makes one event of an ended session's after so many days, where its last one was", async () => {
    const ids = await ended(3);
    ids.push(await expired());
    const dismissed = await expired();
    await end(dismissed);
    ids.push(dismissed);
    await age(background, 29);
    await run();
    const before = await Promise.all(ids.map(async (id) => ({ row: await rowOf(id), log: await logOf(id) })));
    expect(before.every(({ log }) => log.length >= 3)).toBe(true);

    await age(background, 2);
    const rows = await Promise.all(ids.map(rowOf));
    const places = await Promise.all(ids.map(async (id) => (await logOf(id)).at(-1)!));
    expect(await run()).toMatchObject({ "fold sessions": 5 });
    for (const [index, id] of ids.entries()) {
      const [only, ...others] = await logOf(id);
      expect(others).toEqual([]);
      expect(only).toEqual({ ...places[index], type: "session.summarized" });
      expect(await rowOf(id)).toEqual(rows[index]);
    }
    expect(await run()).toEqual({});
  });

  it("removes an ended session after so many more days, row and events, and nobody knows it any more", async () => {
    const ids = [...(await ended(250)), await expired()];
    await age(background, 89);
    await run();
    expect(await rowOf(ids.at(-1)!)).toBeDefined();
    await age(background, 2);
    const done = await run();
    expect(done["remove sessions"]).toBeGreaterThanOrEqual(251);
    for (const id of [ids[0]!, ids.at(-1)!]) {
      expect(await rowOf(id)).toBeUndefined();
      expect(await logOf(id)).toEqual([]);
    }
    expect(await outcomeOf(end(ids[0]!))).toBe("session.not_found");
  });

  it("never touches a session that has not ended", async () => {
    const ids = await addSessions(
      background,
      3,
      (index) =>
        [
          [],
          [lifetime(200 * 86_400_000)],
          [{ type: "session.metadata.set" as const, payload: { metadata: { key: "dmFsdWU=" } } }],
        ][index]!,
    );
    await age(background, 100);
    const rows = await Promise.all(ids.map(rowOf));
    const logs = await Promise.all(ids.map(logOf));
    await run();
    expect(await Promise.all(ids.map(rowOf))).toEqual(rows);
    expect(await Promise.all(ids.map(logOf))).toEqual(logs);
    for (const id of ids) expect(standing((await background.sessions.find(id))!)).toBe("active");
  });

  it("keeps everything for ever where the setting is zero", async () => {
    await keepFor(background, { foldAfterDays: 0, removeAfterDays: 0 });
    const [id] = await ended(1);
    await age(background, 4_000);
    await run();
    expect(await typesOf(id!)).toEqual(["session.added", "session.token.set", "session.terminated"]);
    await keepFor(background, { foldAfterDays: 10, removeAfterDays: 0 });
    await run();
    expect(await typesOf(id!)).toEqual(["session.summarized"]);
  });

  it("lets an expired session that is folded be ended all the same", async () => {
    const id = await expired();
    await age(background, 31);
    await run();
    const { sequence } = await end(id);
    expect(await typesOf(id)).toEqual(["session.summarized", "session.dismissed"]);
    expect((await end(id)).sequence).toBe(sequence);
    await age(background, 60);
    await run();
    expect(await logOf(id)).toEqual([]);
  });

  it("folds what ended long before its ending was written down, although later ones were there first", async () => {
    const [late] = await addSessions(background, 1, () => [lifetime()]);
    await pastExpiry(background, late!);
    await age(background, 1);
    const [early] = await addSessions(background, 1);
    await endSessions(background, owner, { filter: { ids: [early!] }, all: false });
    await background.another().worker.runToEnd({ only: ["bulk endings"] });
    await age(background, 31);
    const { worker } = background.another();
    for (const task of ["fold sessions", "sweep", "fold sessions"]) await worker.runToEnd({ only: [task] });
    for (const id of [late!, early!]) expect(await typesOf(id)).toEqual(["session.summarized"]);
  });

  it("is done by any number of servers, each session once", async () => {
    await keepFor(background, { foldAfterDays: 30, removeAfterDays: 0 });
    const ids = await ended(900);
    await age(background, 31);
    const both = async (task: string) => {
      const workers = [background.another(), background.another()];
      const runs = await Promise.all(workers.map(async ({ worker }) => doneBy(await worker.runToEnd())));
      return runs.reduce((sum, done) => sum + (done[task] ?? 0), 0);
    };
    await run();
    await age(background, 0);
    expect(await both("fold sessions")).toBeGreaterThanOrEqual(900);
    expect(new Set((await Promise.all(ids.slice(0, 50).map(typesOf))).flat())).toEqual(
      new Set(["session.summarized"]),
    );
    await keepFor(background, { foldAfterDays: 30, removeAfterDays: 30 });
    const before = await countSessions();
    const removed = await both("remove sessions");
    expect(before - (await countSessions())).toBe(removed);
    expect(removed).toBeGreaterThanOrEqual(900);
  });

  async function countSessions(): Promise<number> {
    const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM sessions`.execute(
      background.db,
    );
    return Number(rows[0]!.count);
  }

  it("removes bulk endings that are done with the sessions they ended", async () => {
    const [id] = await addSessions(background, 1);
    const operation = await endSessions(background, owner, { filter: { ids: [id!] }, all: false });
    await age(background, 89);
    await run();
    expect(await getOperation(background, owner, operation.id)).toMatchObject({ status: "done" });
    await age(background, 2);
    await run();
    expect(await outcomeOf(getOperation(background, owner, operation.id))).toBe(
      "session.operation_not_found",
    );
    expect(await logOf(operation.id)).toEqual([]);
  });

  it("removes messages a day after they were sent or given up, not those on their way", async () => {
    const events: Record<string, NotificationEvent[]> = {
      sent: [{ type: "notification.sent", payload: {} }],
      failed: [{ type: "notification.failed", payload: { reason: "unknown" } }],
      dropped: [{ type: "notification.dropped", payload: { reason: "expired" } }],
      pending: [{ type: "notification.deferred", payload: { reason: "busy", retryAfterMs: 1_000 } }],
    };
    for (const [name, history] of Object.entries(events)) {
      const first: NotificationEvent = {
        type: "notification.added",
        payload: {
          channel: "email",
          kind: "PasswordReset",
          subject: `user/mia/${name}`,
          recipient: "mia@example.com",
          content: {},
          expiresAt: new Date().toISOString(),
        },
      };
      const initial = notificationAggregate.initialState(`${name} ${engine}`);
      await background.events.append([change(notificationAggregate, initial, [first, ...history], "tester")]);
    }
    expect((await run())["remove messages"]).toBeUndefined();
    await age(background, 2);
    expect(await run()).toMatchObject({ "remove messages": 3 });
    const { rows } = await sql<{ id: string }>`SELECT id FROM notifications`.execute(background.db);
    expect(rows).toEqual([{ id: `pending ${engine}` }]);
    expect(await logOf(`sent ${engine}`)).toEqual([]);
  });

  it("removes walks to identity providers a day after they could last be used", async () => {
    const start = async (name: string, inDays: number) => {
      const payload = {
        idpId: "idp",
        successURL: "https://app.example/ok",
        failureURL: "https://app.example/no",
        secrets: "sealed",
        expiresAt: new Date(Date.now() + inDays * 86_400_000).toISOString(),
      };
      const started = { type: "idpintent.started" as const, payload };
      const initial = idpIntentAggregate.initialState(`${name} ${engine}`);
      await background.events.append([change(idpIntentAggregate, initial, [started], "tester")]);
    };
    await start("usual", 0);
    // Its server's clock was a month behind.
    await start("behind", -30);
    await start("recent", 1.5);
    expect((await run())["remove sign-ins at providers"]).toBeUndefined();
    await age(background, 2);
    expect(await run()).toMatchObject({ "remove sign-ins at providers": 2 });
    const { rows } = await sql<{ id: string }>`SELECT id FROM idp_intents`.execute(background.db);
    expect(rows).toEqual([{ id: `recent ${engine}` }]);
  });
});

describe("retention on the embedded database", () => {
  it("gives space back, so that it does not grow with what comes and goes", { timeout: 60_000 }, async () => {
    const background = await openBackground("pglite");
    const sizes: number[] = [];
    for (let round = 0; round < 4; round++) {
      const ids = await addSessions(background, 1_500);
      await sql`UPDATE sessions SET status = 'terminated', ended_at = now() - interval '91 days'
        WHERE id = ANY(${ids}::text[])`.execute(background.db);
      const done = await background.run();
      expect(done).toMatchObject({ "remove sessions": 1_500 });
      const { rows } = await sql<{ size: number }>`
        SELECT pg_relation_size('sessions') + pg_relation_size('events') AS size`.execute(background.db);
      sizes.push(Number(rows[0]!.size));
    }
    expect(sizes.at(-1)).toBeLessThan(1.5 * sizes[1]!);
    await background.close();
  });
});

describe("retention on a large postgres", () => {
  it("folds later what somebody else had locked, although it has passed by", async () => {
    const background = await openBackground("postgres");
    const ids = await addSessions(background, 30);
    await endSessions(background, owner, { filter: { ids }, all: false });
    await age(background, 31);
    await background.run();
    await keepFor(background, { foldAfterDays: 30, removeAfterDays: 0 });
    await sql`UPDATE sessions SET is_folded = false`.execute(background.db);
    const release = await holding(background.db, ids.slice(3, 5));
    const { worker } = background.another();
    const first = await worker.runToEnd({ patienceMs: 0 });
    expect(first["fold sessions"]).toEqual({ done: 28, held: true });
    await release();
    expect((await worker.runToEnd())["fold sessions"]).toEqual({ done: 2, held: false });
    await background.close();
  });

  it("finds all of its work by indexes", async () => {
    const database = await createTestDatabase("postgres");
    // What a connection has read is counted as its own.
    const { db, close } = openPostgres(database.config.databaseUrl!, { poolSize: 1 });
    const events = new EventRepository(db, projections);
    await addSessions({ events }, 1_000, () => [lifetime()]);
    await age({ db }, 31);
    await sql`ANALYZE`.execute(db);
    // As if the tables were too large to be read: only where there is no index at all they are.
    await sql`SET seq_page_cost = 100000`.execute(db);
    const { worker } = composeUpkeep({
      events,
      organizations: new OrganizationRepository(db),
      stores: upkeepStores(db),
      engine: "postgres",
      logger: pino({ level: "silent" }),
      metrics: new Metrics(),
    });
    const scans = async () => {
      await sql`SELECT pg_stat_force_next_flush()`.execute(db);
      const { rows } = await sql<{ relname: string; seqScan: number }>`
        SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ('sessions', 'events') ORDER BY relname`.execute(
        db,
      );
      return rows;
    };
    const before = await scans();
    expect(doneBy(await worker.runToEnd())).toEqual({ sweep: 1_000, "fold sessions": 1_000 });
    expect(await scans()).toEqual(before);

    const [filtered] = [
      await addSessions({ events }, 5),
      await addSessions({ events }, 5, () => [ofUser("mia")]),
    ];
    const machine = { organizationId: "home", userName: "mia", name: "mia", accessTokenType: 0 };
    await events.append([
      change(
        userAggregate,
        initialUser("mia"),
        [
          { type: "user.machine.added", payload: machine },
          { type: "user.removed", payload: {} },
        ],
        "tester",
      ),
      change(
        endingAggregate,
        endingAggregate.initialState(uuidV7()),
        [{ type: "ending.started", payload: { filter: { ids: filtered } } }],
        "tester",
      ),
    ]);
    expect(doneBy(await worker.runToEnd())).toMatchObject({ "user endings": 5, "erase users": 5 + 2 });
    expect(await scans()).toEqual(before);
    await age({ db }, 60);
    await sql`UPDATE sessions SET is_folded = true`.execute(db);
    await sql`ANALYZE`.execute(db);
    const between = await scans();
    expect(doneBy(await worker.runToEnd())).toMatchObject({ "remove sessions": 1_000 });
    expect(await scans()).toEqual(between);
    await close();
    await database.remove();
  });
});
