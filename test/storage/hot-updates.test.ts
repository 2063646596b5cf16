import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { uniqueConstraints } from "../../src/projections/unique-constraints.ts";
import type { SessionChanges } from "../../src/session/change-session.ts";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import type { SessionDependencies } from "../../src/session/dependencies.ts";
import { setSession } from "../../src/session/set-session.ts";
import { type OpenDatabase, openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { createUser } from "../../src/user/create-user.ts";
import { addOtpFactor } from "../../src/user/otp-factors.ts";
import { defaultOrganization, type House, human, openHouse, owner, PASSWORD } from "../user/house.ts";
import { sessionRooms } from "../user/session-rooms.ts";

type Updates = { all: number; hot: number };

/** Heap-only updates stay on their page and touch no index. PostgreSQL counts them. */
describe("updates on PostgreSQL", () => {
  let house: House;
  /** One connection for every change: each counts for itself, and tells the others when it is asked to or idle. */
  let writer: OpenDatabase;
  let dependencies: SessionDependencies;
  const nothing: SessionChanges = { checks: {}, metadata: {}, challenges: {} };

  beforeAll(async () => {
    const opened = await openHouse("postgres");
    const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(opened.db);
    writer = openPostgres(new URL(`/${rows[0]!.name}`, inject("postgresTemplate")).href, { poolSize: 1 });
    const events = new EventRepository(writer.db, projections, { uniqueSlugs: uniqueConstraints });
    house = { ...opened, events };
    dependencies = sessionRooms(house);
  });

  afterAll(async () => {
    await writer.close();
    await house.close();
  });

  const counted = async (table: string): Promise<Updates> => {
    await sql`SELECT pg_stat_force_next_flush()`.execute(writer.db);
    const { rows } = await sql<Updates>`
      SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot
      FROM pg_stat_user_tables WHERE relname = ${table}`.execute(writer.db);
    return rows[0]!;
  };
  /** @returns the updates of a table that some work came with */
  const updatesOf = async (table: string, work: () => Promise<unknown>): Promise<Updates> => {
    const before = await counted(table);
    await work();
    const after = await counted(table);
    return { all: after.all - before.all, hot: after.hot - before.hot };
  };
  /** The oldest transaction that is open, or the next one if none is. */
  const transactions = async (): Promise<{ oldest: bigint; next: bigint }> => {
    const { rows } = await sql<{ oldest: string; next: string }>`
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest,
        pg_snapshot_xmax(pg_current_snapshot())::text AS next`.execute(writer.db);
    return { oldest: BigInt(rows[0]!.oldest), next: BigInt(rows[0]!.next) };
  };
  const someone = async (name: string) => {
    const organizationId = await defaultOrganization(house);
    const password = { password: PASSWORD, changeRequired: false };
    const { userId } = await createUser(house, owner, { organizationId, human: human(name, { password }) });
    await addOtpFactor(house, owner, userId, "otpEmail");
    return userId;
  };
  const create = async (changes: Partial<SessionChanges>) =>
    (await createSession(dependencies, owner, { ...nothing, ...changes })).sessionId;
  const set = (sessionId: string, changes: Partial<SessionChanges>) =>
    setSession(dependencies, owner, { ...nothing, ...changes, sessionId, token: "" });

  it("keep a session on its page whatever SetSession does, unless it changes its end or its user", async () => {
    const userId = await someone("ada");
    const sessionId = await create({ checks: { user: { userId } } });
    const one = { all: 1, hot: 1 };
    const updates = (changes: Partial<SessionChanges>) =>
      updatesOf("sessions", () => set(sessionId, changes));
    expect(await updates({ metadata: { a: Buffer.from("1") } })).toEqual(one);
    expect(await updates({ checks: { user: { userId } } })).toEqual(one);
    expect(await updates({ checks: { password: PASSWORD } })).toEqual(one);
    let code: string | undefined;
    const challenge = async () => {
      code = (await set(sessionId, { challenges: { otpEmail: { returnCode: true } } })).challenges.otpEmail;
    };
    expect(await updatesOf("sessions", challenge)).toEqual(one);
    expect(await updates({ checks: { otpEmail: code! } })).toEqual(one);

    expect(await updates({ lifetimeMs: 60_000 })).toEqual({ all: 1, hot: 0 });
    const anonymous = await create({});
    const withUser = () => set(anonymous, { checks: { user: { userId } } });
    expect(await updatesOf("sessions", withUser)).toEqual({ all: 1, hot: 0 });
  });

  it("move a session that is ended to the indexes of the ended ones", async () => {
    const sessionId = await create({});
    const end = () => deleteSession(dependencies, owner, { sessionId });
    expect(await updatesOf("sessions", end)).toEqual({ all: 1, hot: 0 });
  });

  it("keep a user on its page whether a check of the password fails or succeeds", async () => {
    const userId = await someone("leo");
    const sessionId = await create({ checks: { user: { userId } } });
    const check = (password: string) =>
      updatesOf("users", () => set(sessionId, { checks: { password } }).catch(() => {}));
    expect(await check("wrong")).toEqual({ all: 1, hot: 1 });
    expect(await check(PASSWORD)).toEqual({ all: 1, hot: 1 });
  });

  it("find room on the page while everybody there signs in, in several steps", async () => {
    const userId = await someone("mia");
    const SESSIONS = 40;
    const STEPS = 4;
    let isDisturbed: boolean;
    const signIn = async () => {
      isDisturbed = false;
      const ids: string[] = [];
      while (ids.length < SESSIONS) ids.push(await create({ checks: { user: { userId } } }));
      for (let step = 0; step < STEPS; step++) {
        const { next } = await transactions();
        // Together, so that none is out of the way before the others are there.
        await Promise.all(ids.map((id) => set(id, { metadata: { step: Buffer.from(String(step)) } })));
        // As long as one of another file's is open, whichever its database, what is dead since is not cleared away.
        isDisturbed ||= (await transactions()).oldest < next;
      }
    };
    let signIns: Updates;
    do signIns = await updatesOf("sessions", signIn);
    while (isDisturbed!);
    expect(signIns.all).toBeGreaterThanOrEqual(SESSIONS * STEPS);
    expect(signIns.hot / signIns.all).toBeGreaterThan(0.75);
  });
});
