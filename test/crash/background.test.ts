import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { ADMIN_TOKEN } from "../support/test-config.ts";
import { addSessions, age, endingsOf, lifetime } from "../upkeep/background.ts";
import { environmentOf, runGatehouse, type ServingProcess, serveGatehouse } from "./gatehouse-process.ts";
import { until } from "./poll.ts";

// Processes start slowly on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 90_000 });

const KILLS = 3;
const COUNT = 1_500;

type Operation = { id: string; status: string; ended?: string };

async function ask(server: ServingProcess, method: string, message: object): Promise<Operation> {
  const response = await fetch(`${server.url}/gatehouse.session.v1.SessionControlService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify(message),
  });
  const body = (await response.json()) as { operation: Operation };
  if (!response.ok) throw new Error(JSON.stringify(body));
  return body.operation;
}

/** Does everything there is to do by the command; the rows are right then. */
async function finish(environment: Record<string, string>): Promise<void> {
  const run = await runGatehouse(["maintenance", "run", "--json"], environment, 90_000);
  expect(run).toMatchObject({ code: 0, stderr: "" });
  const verified = await runGatehouse(["projections", "verify", "--json"], environment);
  expect(JSON.parse(verified.stdout)).toMatchObject({ differences: [] });
}

const momentNobodyChose = (atMostMs: number) =>
  new Promise((resolve) => setTimeout(resolve, Math.random() * atMostMs));

describe.each(engines)("a server on %s that is killed at its work in the background", (engine) => {
  let database: TestDatabase;
  let environment: Record<string, string>;
  beforeEach(async () => {
    database = await createTestDatabase(engine);
    environment = { ...environmentOf(database.config), GATEHOUSE_LOG_LEVEL: "info" };
  });
  afterEach(() => database.remove());

  async function operate<T>(
    task: (db: Awaited<ReturnType<TestDatabase["open"]>>["db"]) => Promise<T>,
  ): Promise<T> {
    const opened = await database.open();
    return task(opened.db).finally(() => opened.close());
  }

  it("ends each session once, by filter and by time, and counts right", async () => {
    const { filtered, expired } = await operate(async (db) => {
      const events = new EventRepository(db, projections);
      const ids = await addSessions({ events }, COUNT);
      // Some of those the filter names have expired before.
      return { filtered: ids, expired: await addSessions({ events }, COUNT, () => [lifetime()]) };
    });
    let server = await serveGatehouse(environment);
    const operations: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const part = filtered.slice((kill * COUNT) / KILLS, ((kill + 1) * COUNT) / KILLS);
      const some = expired.slice(kill * 100, kill * 100 + 100);
      operations.push((await ask(server, "EndSessions", { filter: { sessionIds: [...part, ...some] } })).id);
      await momentNobodyChose(400);
      server.signal("SIGKILL");
      await server.exit;
      server = await serveGatehouse(environment);
    }
    const done = await until(
      "the operations to be done",
      async () => {
        const all = await Promise.all(
          operations.map((operationId) => ask(server, "GetOperation", { operationId })),
        );
        return all.every(({ status }) => status === "OPERATION_STATUS_DONE") && all;
      },
      120_000,
    );
    server.signal("SIGTERM");
    await server.exit;
    await finish(environment);
    const counts = await operate((db) => endingsOf({ db }, [...filtered, ...expired]));
    expect(counts).toEqual({ ended_by_filter: COUNT, expired: COUNT });
    expect(done.reduce((sum, { ended }) => sum + Number(ended ?? 0), 0)).toBe(COUNT);
    await operate(async (db) => {
      const sessions = new SessionRepository(db);
      for (const [index, id] of operations.entries())
        expect((await sessions.findEnding(id))!.ended).toBe(Number(done[index]!.ended));
    });
  });

  it("folds and removes each session whole or not at all", async () => {
    const ids = await operate(async (db) => {
      const events = new EventRepository(db, projections);
      const old = await addSessions({ events }, COUNT, () => [lifetime()]);
      await age({ db }, 60);
      const recent = await addSessions({ events }, COUNT, () => [lifetime()]);
      // Some are 91 days old now, and some 31.
      await age({ db }, 31);
      return { old, recent };
    });
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await serveGatehouse(environment);
      await momentNobodyChose(1_500);
      server.signal("SIGKILL");
      await server.exit;
      await operate(async (db) => {
        const { rows } = await sql<{ id: string; types: string[] }>`
          SELECT aggregate_id AS id, array_agg(event_type ORDER BY sequence) AS types FROM events
          WHERE aggregate_type = 'session' GROUP BY aggregate_id`.execute(db);
        const allowed = [
          ["session.summarized"],
          ["session.added", "session.lifetime.set", "session.token.set"],
          ["session.added", "session.lifetime.set", "session.token.set", "session.expired"],
        ].map(String);
        expect(rows.filter(({ types }) => !allowed.includes(String(types)))).toEqual([]);
      });
    }
    await finish(environment);
    await operate(async (db) => {
      const { rows } = await sql<{ id: string; type: string }>`
        SELECT aggregate_id AS id, event_type AS type FROM events WHERE aggregate_type = 'session'`.execute(
        db,
      );
      expect(rows.map(({ id }) => id).sort()).toEqual([...ids.recent].sort());
      expect(new Set(rows.map(({ type }) => type))).toEqual(new Set(["session.summarized"]));
    });
  });
});
