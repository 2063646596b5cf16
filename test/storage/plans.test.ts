import { sql } from "kysely";
import { afterAll, beforeAll, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { projections } from "../../src/projections/projections.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import { CallerRepository } from "../../src/storage/caller-repository.ts";
import { type OpenDatabase, openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import { UserRepository } from "../../src/storage/user-repository.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";

let database: TestDatabase;
let opened: OpenDatabase;

beforeAll(async () => {
  database = await createTestDatabase("postgres");
  // One connection, since plans are a connection's own.
  opened = openPostgres(database.config.databaseUrl!, { poolSize: 1 });
});

afterAll(async () => {
  await opened.close();
  await database.remove();
});

// PostgreSQL tries five plans made for the very parameters before it settles on one for all.
const TRIED_PLANS = 5;

it("plans every hot statement once a connection, whatever the sizes of the first batches", async () => {
  const events = new EventRepository(opened.db, projections);
  const sessions = new SessionRepository(opened.db);
  const users = new UserRepository(opened.db);
  const callers = new CallerRepository(opened.db);
  const create = (id: string) =>
    events.append([
      change(sessionAggregate, initialSession(id), [{ type: "session.added", payload: {} }], "tester"),
    ]);
  const end = async (id: string) => {
    const { session } = (await sessions.find(id))!;
    await events.append([
      change(sessionAggregate, session, [{ type: "session.terminated", payload: {} }], "tester"),
    ]);
  };

  for (let round = 0; round < 20; round++) {
    // One by one at first, as on a server that has just started, then in batches of growing size.
    const ids = Array.from({ length: round < 10 ? 1 : round }, () => uuidV7());
    await Promise.all(ids.map(create));
    await Promise.all(ids.map(end));
    await Promise.all(ids.map((id) => users.find(id)));
    await Promise.all(ids.map((id) => users.findByLoginName(id)));
    await Promise.all(ids.map((id) => users.findOfSessions(id)));
    await Promise.all(ids.map((id) => users.findOfSessionsByLoginName(id)));
    await Promise.all(ids.map((id) => callers.tokenOwner(id)));
    await Promise.all(ids.map((id) => callers.keyOwner(id)));
    await Promise.all(ids.map((id) => callers.secretOwner(id, id)));
    await Promise.all(ids.map((id) => callers.sessionBearer(id)));
  }

  const { rows } = await sql<{ statement: string; customPlans: number; genericPlans: number }>`
    SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements WHERE name LIKE 'gatehouse_%'`.execute(
    opened.db,
  );
  // Creating and ending, one and several at a time, and the nine look-ups.
  expect(rows).toHaveLength(13);
  for (const { statement, customPlans, genericPlans } of rows) {
    expect([statement.slice(0, 80), customPlans, genericPlans > 0]).toEqual([
      statement.slice(0, 80),
      TRIED_PLANS,
      true,
    ]);
  }
});
