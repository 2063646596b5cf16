import { afterEach, describe, expect, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { environmentOf, runGatehouse, serveGatehouse } from "../crash/gatehouse-process.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { expectRowsToMatchTheLog } from "../support/test-server.ts";
import { addSessions, age, holding, lifetime } from "../upkeep/background.ts";

const sweepable = async (database: TestDatabase, count: number): Promise<string[]> => {
  const opened = await database.open();
  const ids = await addSessions({ events: new EventRepository(opened.db, projections) }, count, () => [
    lifetime(),
  ]);
  await age(opened, 31);
  await opened.close();
  return ids;
};

let database: TestDatabase;
afterEach(() => database.remove());

describe.each(engines)("gatehouse maintenance run on %s", (engine) => {
  it("does all there is to do, and says how much", async () => {
    database = await createTestDatabase(engine);
    await sweepable(database, 30);
    const environment = environmentOf(database.config);
    const first = await runGatehouse(["maintenance", "run"], environment);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(/^30 {2}sweep$/m);
    expect(first.stdout).toMatch(/^30 {2}fold sessions$/m);
    expect(first.stdout).toMatch(/^ 0 {2}remove sessions$/m);
    const second = await runGatehouse(["maintenance", "run", "--json"], environment);
    const { tasks } = JSON.parse(second.stdout) as { tasks: Record<string, object> };
    const lines = first.stdout.trim().split("\n");
    expect(Object.keys(tasks)).toEqual(lines.map((line) => line.trim().replace(/^\d+ +/, "")));
    for (const task of Object.values(tasks)) expect(task).toEqual({ done: 0, held: false });
    await expectRowsToMatchTheLog(database);
  });
});

it("gatehouse maintenance run asks for the embedded server to be stopped first", async () => {
  database = await createTestDatabase("pglite");
  const environment = environmentOf(database.config);
  const server = await serveGatehouse(environment);
  const run = await runGatehouse(["maintenance", "run"], environment);
  expect(run.code).toBe(1);
  expect(run.stderr).toContain("in use by another Gatehouse");
  await server.kill();
});

it("gatehouse maintenance run works beside servers, and ends when others hold something for good", async () => {
  database = await createTestDatabase("postgres");
  const environment = environmentOf(database.config);
  const server = await serveGatehouse(environment);
  await sweepable(database, 30);
  const run = await runGatehouse(["maintenance", "run"], environment);
  expect(run.code).toBe(0);
  await server.kill();
  const [id] = await sweepable(database, 1);
  const opened = await database.open();
  const release = await holding(opened.db, [id!]);
  const held = await runGatehouse(["maintenance", "run"], environment, 90_000);
  await release();
  await opened.close();
  expect(held.stdout).toMatch(/^ *0 {2}sweep, and some are left that others have locked$/m);
  expect(held.code).toBe(1);
});
