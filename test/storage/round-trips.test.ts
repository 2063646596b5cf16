import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import type { SessionDependencies } from "../../src/session/dependencies.ts";
import { getSession } from "../../src/session/session-queries.ts";
import { SessionUses } from "../../src/session/session-uses.ts";
import { setSession } from "../../src/session/set-session.ts";
import { type OpenDatabase, openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import { UserRepository } from "../../src/storage/user-repository.ts";
import { createUser } from "../../src/user/create-user.ts";
import { defaultOrganization, type House, human, openHouse, owner } from "../user/house.ts";
import { sessionRooms } from "../user/session-rooms.ts";

describe("round trips to PostgreSQL, beside the caller's own", () => {
  let house: House;
  let counted: OpenDatabase;
  let dependencies: SessionDependencies;
  let userId: string;
  const nothing = { checks: {}, metadata: {}, challenges: {} };

  beforeAll(async () => {
    house = await openHouse("postgres");
    const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(house.db);
    // One connection, since each counts its own prepared statements, and all hot ones are prepared.
    const url = new URL(`/${rows[0]!.name}`, inject("postgresTemplate")).href;
    counted = openPostgres(url, { poolSize: 1 });
    const { db } = counted;
    const events = new EventRepository(db, projections);
    const sessions = new SessionRepository(db);
    dependencies = {
      ...sessionRooms(house),
      ...{ events, sessions, users: new UserRepository(db), organizations: new OrganizationRepository(db) },
      uses: new SessionUses({ events, sessions }),
    };
    const organizationId = await defaultOrganization(house);
    userId = (await createUser(house, owner, { organizationId, human: human("ada") })).userId;
  });

  afterAll(async () => {
    await counted.close();
    await house.close();
  });

  const executions = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      SELECT coalesce(sum(generic_plans + custom_plans), 0)::int AS count FROM pg_prepared_statements`.execute(
      counted.db,
    );
    return rows[0]!.count;
  };
  const roundTrips = async (command: () => Promise<unknown>): Promise<number> => {
    const before = await executions();
    await command();
    return (await executions()) - before;
  };

  it("are two for CreateSession with a user check: the user with its settings, and the append", async () => {
    const byId = { ...nothing, checks: { user: { userId } } };
    const byName = { ...nothing, checks: { user: { loginName: "ada@example.com" } } };
    expect(await roundTrips(() => createSession(dependencies, owner, byId))).toBe(2);
    expect(await roundTrips(() => createSession(dependencies, owner, byName))).toBe(2);
  });

  it("are one for GetSession, two for DeleteSession, three for SetSession", async () => {
    const { sessionId } = await createSession(dependencies, owner, {
      ...nothing,
      checks: { user: { userId } },
    });
    const metadata = { a: Buffer.from("1") };
    const set = () => setSession(dependencies, owner, { ...nothing, metadata, sessionId, token: "" });
    expect(await roundTrips(set)).toBe(3);
    expect(await roundTrips(() => getSession(dependencies, owner, { sessionId }))).toBe(1);
    expect(await roundTrips(() => deleteSession(dependencies, owner, { sessionId }))).toBe(2);
  });

  it("are none for GetSession and one for DeleteSession of a session that was read ahead", async () => {
    const { sessionId } = await createSession(dependencies, owner, nothing);
    const ahead = Promise.resolve(await dependencies.sessions.find(sessionId));
    expect(await roundTrips(() => getSession(dependencies, owner, { sessionId }, ahead))).toBe(0);
    expect(await roundTrips(() => deleteSession(dependencies, owner, { sessionId }, ahead))).toBe(1);
  });

  it("are two for DeleteSession of a session read ahead that waits its turn, and may have changed by then", async () => {
    const { sessionId } = await createSession(dependencies, owner, nothing);
    const ahead = Promise.resolve(await dependencies.sessions.find(sessionId));
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = dependencies.events.decide(sessionId, () => promise, { inTurn: true });
    const ended = deleteSession(dependencies, owner, { sessionId }, ahead);
    const count = roundTrips(() => ended);
    resolve();
    await before;
    expect(await count).toBe(2);
  });

  it("are those of another try where the session has changed since it was read ahead", async () => {
    const { sessionId } = await createSession(dependencies, owner, nothing);
    const ahead = Promise.resolve(await dependencies.sessions.find(sessionId));
    const metadata = { a: Buffer.from("1") };
    await setSession(dependencies, owner, { ...nothing, metadata, sessionId, token: "" });
    const ended = () => deleteSession(dependencies, owner, { sessionId }, ahead);
    // The append that is refused, the session as it is now, the append.
    expect(await roundTrips(ended)).toBe(3);
    expect((await dependencies.sessions.find(sessionId))?.session.status).toBe("terminated");
  });
});
