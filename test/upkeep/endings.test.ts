import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { deleteSession } from "../../src/session/delete-session.ts";
import { endSessions } from "../../src/session/end-sessions.ts";
import { standing } from "../../src/session/session.ts";
import { UpkeepRepository } from "../../src/storage/upkeep-repository.ts";
import { BulkEndings } from "../../src/upkeep/bulk-endings.ts";
import { sweeper } from "../../src/upkeep/sweep.ts";
import { userEndingsWriter } from "../../src/upkeep/user-endings.ts";
import { BATCH } from "../../src/upkeep/write-down.ts";
import { createUser } from "../../src/user/create-user.ts";
import { deleteUser } from "../../src/user/delete-user.ts";
import { until } from "../crash/poll.ts";
import { ageSession } from "../support/age-session.ts";
import { engines } from "../support/databases.ts";
import { defaultOrganization, human, lock, owner } from "../user/house.ts";
import {
  addSessions,
  age,
  type Background,
  doneBy,
  endingsOf,
  holding,
  lifetime,
  ofUser,
  openBackground,
  pastExpiry,
  typesOf,
} from "./background.ts";

const streamOf = async ({ events }: Background, id: string) =>
  typesOf(await events.readStream("session", id));

async function addUser(background: Background, name: string): Promise<string> {
  const organizationId = await defaultOrganization(background);
  return (await createUser(background, owner, { organizationId, human: human(name) })).userId;
}

describe.each(engines)("endings that are written down later, on %s", (engine) => {
  let background: Background;
  beforeAll(async () => {
    background = await openBackground(engine);
  });
  afterEach(() => background.run());
  afterAll(() => background.close());

  describe("of lifetimes", () => {
    it("are written also for what comes in late, below what was swept meanwhile", async () => {
      const [late] = await addSessions(background, 1, () => [lifetime(60_000)]);
      const [swept] = await addSessions(background, 1, () => [lifetime()]);
      await pastExpiry(background, swept!);
      expect(await background.run()).toEqual({ sweep: 1 });
      // As if its append had been on the way for that long.
      await ageSession(background.db, late!, 70_000);
      expect(await background.run()).toEqual({ sweep: 1 });
    });

    it("are written once, however many servers sweep, and not for what has no lifetime or a longer one", async () => {
      const short = await addSessions(background, 700, () => [lifetime()]);
      const others = await addSessions(background, 2, (index) => (index === 0 ? [] : [lifetime(60_000)]));
      await pastExpiry(background, short.at(-1)!);
      const workers = [background.upkeep, background.another(), background.another()];
      const runs = await Promise.all(workers.map(async ({ worker }) => doneBy(await worker.runToEnd())));
      expect(runs.map(({ sweep = 0 }) => sweep).reduce((sum, each) => sum + each)).toBe(700);
      expect(await endingsOf(background, short)).toEqual({ expired: 700 });
      expect(await endingsOf(background, others)).toEqual({ alive: 2 });
      expect(await background.run()).toEqual({});
    });

    it("say when the lifetime was over, and keep the session in view", async () => {
      const [id] = await addSessions(background, 1, () => [lifetime()]);
      const { session: before } = await pastExpiry(background, id!);
      await background.run();
      const record = (await background.sessions.find(id!))!;
      expect(standing(record)).toBe("expired");
      expect(record.session.endedAt).toEqual(before.expiresAt);
      expect(record.session.ending).toEqual({ reason: "expired", actorId: null });
    });

    it("are found also when many have piled up, some from long ago", async () => {
      const old = await addSessions(background, 450, (index) => [lifetime(1 + index)]);
      await age(background, 3);
      const recent = await addSessions(background, 10, () => [lifetime()]);
      await pastExpiry(background, recent.at(-1)!);
      await background.another().worker.runToEnd();
      expect(await endingsOf(background, [...old, ...recent])).toEqual({ expired: 460 });
    });
  });

  describe("of acts on users", () => {
    it("are written for every session of that epoch, those that had expired leave the view", async () => {
      const mia = await addUser(background, `mia-${engine}`);
      const active = await addSessions(background, 450, () => [ofUser(mia)]);
      const [expired] = await addSessions(background, 1, () => [ofUser(mia), lifetime()]);
      await pastExpiry(background, expired!);
      await background.run();
      await lock(background, mia);
      const done = await background.run();
      expect(done).toMatchObject({ "user endings": 451 });
      expect(await endingsOf(background, active)).toEqual({ user_locked: 450 });
      expect((await streamOf(background, expired!)).slice(-2)).toEqual([
        "session.expired",
        "session.dismissed",
      ]);
      const { session } = (await background.sessions.find(active[7]!))!;
      expect(session.ending).toEqual({ reason: "user_locked", actorId: owner.userId });
    });

    it("tell an expiry that came before the act, and take it out of view in the same append", async () => {
      const noah = await addUser(background, `noah-${engine}`);
      const [id] = await addSessions(background, 1, () => [ofUser(noah), lifetime()]);
      await pastExpiry(background, id!);
      await lock(background, noah);
      await background.run();
      expect((await streamOf(background, id!)).slice(-2)).toEqual(["session.expired", "session.dismissed"]);
      expect(await endingsOf(background, [id!])).toEqual({ expired: 1 });
    });
  });

  describe("of filters", () => {
    const start = async (filter: Parameters<typeof endSessions>[2]["filter"]) =>
      (await endSessions(background, owner, { filter, all: false })).id;
    const find = async (id: string) => (await background.sessions.findEnding(id))!;

    it("are all there with the answer when they are few", async () => {
      const ids = await addSessions(background, BATCH - 1);
      const operation = await endSessions(background, owner, { filter: { ids }, all: false });
      expect(operation).toMatchObject({ status: "done", ended: BATCH - 1 });
      expect(await endingsOf(background, ids)).toEqual({ ended_by_filter: BATCH - 1 });
    });

    it("end sessions at once and follow in steps when they are many, by any number of servers", async () => {
      const ids = await addSessions(background, 3_000);
      const id = await start({ ids });
      expect(await find(id)).toMatchObject({ status: "running", ended: BATCH });
      expect(standing((await background.sessions.find(ids.at(-1)!))!)).toBe("ended");
      await Promise.all(
        [background.upkeep, background.another(), background.another()].map(({ worker }) =>
          worker.runToEnd(),
        ),
      );
      expect(await find(id)).toMatchObject({ status: "done", ended: 3_000 });
      expect(await endingsOf(background, ids)).toEqual({ ended_by_filter: 3_000 });
    });

    it("go on past sessions the filter leaves out, without looking at them twice", async () => {
      const ids = await addSessions(background, 1_200, (index) => [
        { type: "session.metadata.set", payload: { metadata: { group: index % 3 === 0 ? "eQ==" : "bg==" } } },
      ]);
      const id = await start({ ids, metadata: { group: "eQ==" } });
      await background.run();
      expect(await find(id)).toMatchObject({ status: "done", ended: 400 });
      expect(await endingsOf(background, ids)).toEqual({ ended_by_filter: 400, alive: 800 });
    });

    it("of two that reach the same session, the first counts", async () => {
      const ids = await addSessions(background, 900);
      const first = await start({ ids: ids.slice(0, 600) });
      const second = await start({ ids: ids.slice(300) });
      const bulk = new BulkEndings({
        events: background.events,
        upkeep: new UpkeepRepository(background.db),
        onEnded: () => {},
      });
      // The second has its turn alone.
      for (let steps = 0; steps <= 300 / BATCH; steps++) await bulk.begin(second);
      expect(await find(second)).toMatchObject({ status: "running", ended: 300 });
      await background.run();
      expect(await find(first)).toMatchObject({ status: "done", ended: 600 });
      expect(await find(second)).toMatchObject({ status: "done", ended: 300 });
    });

    it("are written for one session, counted, when somebody deletes it", async () => {
      const ids = await addSessions(background, 500);
      const id = await start({ ids });
      const last = ids.at(-1)!;
      const details = await deleteSession(background, owner, { sessionId: last });
      expect(details.sequence).toBe(3);
      expect(await endingsOf(background, [last])).toEqual({ ended_by_filter: 1 });
      await background.run();
      expect(await find(id)).toMatchObject({ status: "done", ended: 500 });
    });
  });

  it("add up, whatever competes: acts, filters, lifetimes and deletions, in any order", async () => {
    const SESSIONS = 8;
    const nth = fc.nat(SESSIONS - 1);
    const action = fc.oneof(
      fc.record({
        do: fc.constant("filter" as const),
        from: nth,
        count: fc.integer({ min: 1, max: SESSIONS }),
      }),
      fc.record({ do: fc.constant("lock" as const) }),
      fc.record({ do: fc.constant("delete" as const), nth }),
      fc.record({ do: fc.constant("wait" as const) }),
      fc.record({ do: fc.constant("step" as const), task: fc.constantFrom(0, 1, 2) }),
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 12 }), async (actions) => {
        round += 1;
        const { events, db } = background;
        const dependencies = { events, upkeep: new UpkeepRepository(db), onEnded: () => {} };
        const bulk = new BulkEndings(dependencies);
        const tasks = [bulk.run, userEndingsWriter(dependencies), sweeper(dependencies)];
        // A rule that nobody writes down until a step is taken.
        const slow: Background = {
          ...background,
          writeEndings: (id, sessionId) =>
            sessionId === undefined ? Promise.resolve() : bulk.write(id, sessionId),
        };
        const user = await addUser(background, `user-${engine}-${round}`);
        const ids = await addSessions(background, SESSIONS, (index) => [
          ...(index % 2 === 0 ? [ofUser(user)] : []),
          ...(index % 3 === 0 ? [lifetime(15)] : []),
        ]);
        const operations: string[] = [];
        const over = new Set<string>();
        let isLocked = false;
        for (const each of actions) {
          if (each.do === "filter") {
            const filter = { ids: ids.slice(each.from, each.from + each.count) };
            operations.push((await endSessions(slow, owner, { filter, all: false })).id);
          }
          if (each.do === "lock" && !isLocked) {
            await lock(background, user);
            isLocked = true;
          }
          if (each.do === "delete") await deleteSession(slow, owner, { sessionId: ids[each.nth]! });
          if (each.do === "wait") await pastExpiry(background, ids[0]!);
          if (each.do === "step") await tasks[each.task]!();
          const records = await Promise.all(ids.map((id) => background.sessions.find(id)));
          for (const record of records) {
            const { id } = record!.session;
            const stands = standing(record!);
            if (over.has(id)) expect(stands).not.toBe("active");
            if (stands !== "active") over.add(id);
          }
        }
        await background.run();
        const counts = await endingsOf(background, ids);
        const ended = await Promise.all(operations.map((id) => background.sessions.findEnding(id)));
        expect(ended.every((operation) => operation!.status === "done")).toBe(true);
        expect(ended.reduce((sum, operation) => sum + operation!.ended, 0)).toBe(counts.ended_by_filter ?? 0);
        const alive = ids.length - (counts.alive ?? 0);
        expect(alive).toBeGreaterThanOrEqual(over.size);
      }),
      { numRuns: 25 },
    );
  });

  it("show how long they have been waiting", async () => {
    const waiting = async () =>
      Number(/waiting_seconds\{task="user endings"\} (\S+)/.exec(await background.metrics.text())![1]);
    expect(await waiting()).toBe(0);
    const eva = await addUser(background, `eva-${engine}`);
    await addSessions(background, 1, () => [ofUser(eva)]);
    await lock(background, eva);
    expect(await waiting()).toBeGreaterThan(0);
    await background.run();
    expect(await waiting()).toBe(0);
  });

  it("are counted by their reasons", async () => {
    const before = await background.metrics.text();
    const count = (text: string) =>
      Number(/endings_written_total\{reason="user_deleted"\} (\d+)/.exec(text)?.[1] ?? 0);
    const ada = await addUser(background, `ada-${engine}`);
    await addSessions(background, 3, () => [ofUser(ada)]);
    await deleteUser(background, owner, ada);
    await background.run();
    expect(count(await background.metrics.text()) - count(before)).toBe(3);
  });
});

describe.each(engines)("a step that fails, on %s", (engine) => {
  it("does not keep the endings of other users waiting, and is tried again", async () => {
    const background = await openBackground(engine);
    const users = [await addUser(background, "a-first"), await addUser(background, "b-second")] as const;
    const [failing] = await addSessions(background, 1, () => [ofUser(users[0])]);
    const free = await addSessions(background, 2, () => [ofUser(users[1])]);
    await sql`CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''out of order''; END'
      LANGUAGE plpgsql`.execute(background.db);
    await sql`CREATE TRIGGER refuse BEFORE UPDATE ON sessions FOR EACH ROW
      WHEN (OLD.user_id = ${sql.lit(users[0])}) EXECUTE FUNCTION refuse()`.execute(background.db);
    for (const user of users) await lock(background, user);
    const { worker } = background.another();
    worker.start();
    const reasons = (ids: readonly string[]) => endingsOf(background, ids);
    await until("the other user's endings", async () => (await reasons(free)).user_locked === 2);
    expect(await reasons([failing!])).toEqual({ alive: 1 });
    await sql`DROP TRIGGER refuse ON sessions`.execute(background.db);
    await until("the first user's ending", async () => (await reasons([failing!])).user_locked === 1);
    await worker.stop();
    await background.close();
  });
});

describe("what somebody else has locked, on postgres", () => {
  let background: Background;
  beforeAll(async () => {
    background = await openBackground("postgres");
  });
  afterAll(() => background.close());
  const impatient = { patienceMs: 0 };

  it("is swept later, although the sweep has passed by", async () => {
    const ids = await addSessions(background, 3, () => [lifetime()]);
    await age(background, 1);
    const release = await holding(background.db, ids.slice(0, 2));
    const { worker } = background.another();
    const first = await worker.runToEnd(impatient);
    expect(first.sweep).toEqual({ done: 1, held: true });
    // Whoever held them did not live to write anything down.
    await release();
    expect((await worker.runToEnd()).sweep).toEqual({ done: 2, held: false });
    expect(await endingsOf(background, ids)).toEqual({ expired: 3 });
  });

  it("does not keep the endings of other users waiting", async () => {
    const users = [await addUser(background, "a-first"), await addUser(background, "b-second")] as const;
    const [held] = await addSessions(background, 1, () => [ofUser(users[0])]);
    const free = await addSessions(background, 2, () => [ofUser(users[1])]);
    for (const user of users) await lock(background, user);
    const release = await holding(background.db, [held!]);
    const { worker } = background.another();
    expect((await worker.runToEnd(impatient))["user endings"]).toEqual({ done: 2, held: true });
    expect(await endingsOf(background, free)).toEqual({ user_locked: 2 });
    await release();
    expect((await worker.runToEnd())["user endings"]).toEqual({ done: 1, held: false });
  });

  it("does not keep other bulk endings waiting", async () => {
    const [held] = await addSessions(background, 1);
    const free = await addSessions(background, 250);
    const release = await holding(background.db, [held!]);
    const begin = async (ids: string[]) =>
      (await endSessions(background, owner, { filter: { ids }, all: false })).id;
    const operations = [await begin([held!]), await begin(free)];
    const { worker } = background.another();
    expect((await worker.runToEnd(impatient))["bulk endings"]).toEqual({ done: 250 - BATCH, held: true });
    const found = () => Promise.all(operations.map((id) => background.sessions.findEnding(id)));
    expect(await found()).toMatchObject([{ status: "running" }, { status: "done", ended: 250 }]);
    await release();
    await worker.runToEnd();
    expect(await found()).toMatchObject([{ status: "done", ended: 1 }, { status: "done" }]);
  });

  it("is given back by a server that hangs in the middle of a step", { timeout: 30_000 }, async () => {
    const [id] = await addSessions(background, 1, () => [lifetime()]);
    await pastExpiry(background, id!);
    const [held, hung] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const upkeep = new UpkeepRepository(background.db);
    const step = upkeep.step(async (trx) => {
      await upkeep.lockSession(trx, id!);
      held.resolve();
      await hung.promise;
      await upkeep.lockSession(trx, id!);
    });
    const failed = expect(step).rejects.toThrow();
    await held.promise;
    expect((await background.upkeep.worker.runToEnd()).sweep).toEqual({ done: 1, held: false });
    hung.resolve();
    await failed;
  });
});
