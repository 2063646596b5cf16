import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { changeSessionSettings } from "../../src/organization/settings/change-session-settings.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import { endSessions } from "../../src/session/end-sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { sessionAggregate, standing } from "../../src/session/session.ts";
import { callerOfSession } from "../../src/session/session-credential.ts";
import { getSession, listSessions } from "../../src/session/session-queries.ts";
import { setIdleLifetime } from "../../src/session/set-idle-lifetime.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { SessionSettings } from "../../src/storage/instance-settings.ts";
import { createUser } from "../../src/user/create-user.ts";
import { ageSession } from "../support/age-session.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { defaultOrganization, human, owner, PASSWORD } from "../user/house.ts";
import { knownPassword, openRooms, outcomeOf, type Rooms, set } from "./rooms.ts";

const MINUTE_MS = 60_000;
const IDLE_MS = 20 * MINUTE_MS;
/** A twentieth, and a moment. */
const STEP_MS = MINUTE_MS + 1;
const fresh = settingsOf({ settings: {} }).session;

describe.each(engines)("a session that ends from not being used, on %s", (engine) => {
  let rooms: Rooms;
  const mia = { id: "mia" };
  beforeAll(async () => {
    rooms = await openRooms(engine);
    const organizationId = await defaultOrganization(rooms);
    const password = await knownPassword(rooms);
    await createUser(rooms, owner, { organizationId, human: human(mia.id, { password }) });
    await settings({ idleLifetimeMs: IDLE_MS });
  });
  afterAll(() => rooms.close());

  const settings = (changes: Partial<SessionSettings>) =>
    changeSessionSettings(rooms, owner, { ...fresh, ...changes });
  const open = (checks = {}, more = {}) =>
    createSession(rooms, owner, { checks, metadata: {}, challenges: {}, ...more });
  const signedIn = () => open({ user: { userId: mia.id }, password: PASSWORD });
  const find = async (id: string) => (await rooms.sessions.find(id))!;
  const typesOf = async (id: string) =>
    (await rooms.events.readStream("session", id)).map(({ type }) => type);
  const usesOf = async (id: string) => (await typesOf(id)).filter((type) => type === "session.used").length;
  const age = (id: string, milliseconds: number) => ageSession(rooms.db, id, milliseconds);
  const aged = async (milliseconds: number) => {
    const opened = await open();
    await age(opened.sessionId, milliseconds);
    return opened;
  };
  const idle = (sessionId: string, idleLifetimeMs: number | null, as = owner) =>
    setIdleLifetime(rooms, as, { sessionId, idleLifetimeMs });
  const append = async (id: string, ...events: SessionEvent[]) =>
    rooms.events.append([change(sessionAggregate, (await find(id)).session, events, "tester")]);

  it("has the idle lifetime of the settings from its creation on, and none from before there was one", async () => {
    await settings({});
    const before = await open();
    await settings({ idleLifetimeMs: IDLE_MS });
    const { sessionId } = await open();
    const { session } = await find(sessionId);
    expect(session).toMatchObject({ idleLifetime: IDLE_MS, lastUsedAt: session.createdAt });
    expect(session.expiresAt).toEqual(new Date(session.createdAt.getTime() + IDLE_MS));
    expect((await find(before.sessionId)).session).toMatchObject({ idleLifetime: null, expiresAt: null });
    expect(await typesOf(before.sessionId)).not.toContain("session.idle_lifetime.set");
  });

  it("goes on from a read with its token, which is noted once a step and told at once", async () => {
    const { sessionId, token } = await open();
    const byToken = () => getSession(rooms, owner, { sessionId, token });
    await byToken();
    expect(await usesOf(sessionId)).toBe(0);
    await age(sessionId, STEP_MS);
    const { session } = await byToken();
    expect(session.expiresAt).toEqual(new Date(session.lastUsedAt.getTime() + IDLE_MS));
    expect(session).toEqual((await find(sessionId)).session);
    await byToken();
    expect(await usesOf(sessionId)).toBe(1);
  });

  it("goes on from its token as a credential", async () => {
    const { sessionId, token } = await signedIn();
    await age(sessionId, STEP_MS);
    await callerOfSession(rooms, token);
    expect(await usesOf(sessionId)).toBe(1);
    const [used] = (await rooms.events.readStream("session", sessionId)).slice(-1);
    expect(used).toMatchObject({ type: "session.used", actorId: mia.id });
  });

  it("does not go on from a credential that is refused, nor from a read by permission or in a list", async () => {
    const { sessionId, token } = await aged(STEP_MS);
    expect(await outcomeOf(callerOfSession(rooms, token))).toBe("auth.authentication_required");
    await getSession(rooms, owner, { sessionId });
    await listSessions(rooms, owner, { criteria: [], offset: 0, limit: 0, ascending: true });
    expect(await usesOf(sessionId)).toBe(0);
  });

  it("goes on from a change, without a use of its own", async () => {
    const { sessionId } = await aged(STEP_MS);
    await set(rooms, sessionId, { user: { userId: mia.id } });
    const { session, now } = await find(sessionId);
    expect(await usesOf(sessionId)).toBe(0);
    expect(session.expiresAt!.getTime()).toBeGreaterThan(now.getTime() + IDLE_MS - MINUTE_MS);
  });

  it("is expired in every sense once it went unused for too long", async () => {
    const { sessionId, token } = await signedIn();
    await age(sessionId, IDLE_MS + 1);
    expect(standing(await find(sessionId))).toBe("expired");
    expect(await outcomeOf(callerOfSession(rooms, token))).toBe("auth.session_expired");
    expect(await outcomeOf(set(rooms, sessionId, { user: { userId: mia.id } }))).toBe("session.expired");
    expect(await outcomeOf(idle(sessionId, null))).toBe("session.expired");
    expect((await getSession(rooms, owner, { sessionId, token })).session.id).toBe(sessionId);
    const listed = {
      criteria: [{ by: "ids" as const, ids: [sessionId] }],
      offset: 0,
      limit: 0,
      ascending: true,
    };
    expect((await listSessions(rooms, owner, listed)).total).toBe(1);
    expect(await usesOf(sessionId)).toBe(0);
    await deleteSession(rooms, owner, { sessionId });
    expect((await typesOf(sessionId)).slice(-2)).toEqual(["session.expired", "session.dismissed"]);
    const { session } = await find(sessionId);
    expect([session.ending?.reason, session.endedAt]).toEqual(["expired", session.expiresAt]);
  });

  it("notes the uses of a burst once", async () => {
    const { sessionId, token } = await aged(STEP_MS);
    await Promise.all(Array.from({ length: 50 }, () => getSession(rooms, owner, { sessionId, token })));
    expect(await usesOf(sessionId)).toBe(1);
  });

  it("notes a use also where somebody changed it meanwhile in another way", async () => {
    const { sessionId } = await aged(STEP_MS);
    const read = await find(sessionId);
    await append(sessionId, { type: "session.metadata.set", payload: { metadata: { key: "" } } });
    const { session } = await rooms.uses.note(read, "tester");
    expect(await usesOf(sessionId)).toBe(1);
    expect(session.metadata).toEqual({ key: "" });
  });

  it("stays expired where the time ran out between the read and the note", async () => {
    const { sessionId } = await aged(STEP_MS);
    const read = await find(sessionId);
    await age(sessionId, IDLE_MS);
    expect(standing(await rooms.uses.note(read, "tester"))).toBe("expired");
    expect(await usesOf(sessionId)).toBe(0);
  });

  it("stays ended where somebody ended it between the read and the note", async () => {
    const { sessionId } = await aged(STEP_MS);
    const read = await find(sessionId);
    await deleteSession(rooms, owner, { sessionId });
    expect(standing(await rooms.uses.note(read, "tester"))).toBe("ended");
    expect((await typesOf(sessionId)).at(-1)).toBe("session.terminated");
  });

  it("stays ended by a bulk ending that began between the read and the note", async () => {
    const { sessionId } = await aged(STEP_MS);
    const read = await find(sessionId);
    await endSessions(rooms, owner, { filter: { ids: [sessionId] }, all: false });
    const noted = await rooms.uses.note(read, "tester");
    // The note itself comes in, since nothing was appended to the session: it must not matter.
    expect(await usesOf(sessionId)).toBe(1);
    expect(standing(noted)).toBe("ended");
    expect(await outcomeOf(getSession(rooms, owner, { sessionId }))).toBe("session.not_found");
  });

  it("is spared by a bulk ending that was running and did not reach it when its idle lifetime was set", async () => {
    const [spared, other] = [await signedIn(), await signedIn()];
    const filter = { ids: [spared.sessionId, other.sessionId], metadata: { cart: "NDI=" } };
    await endSessions(rooms, owner, { filter, all: false });
    await idle(spared.sessionId, 2 * IDLE_MS);
    // A use says nothing about endings: what was noted before stays.
    await age(spared.sessionId, 3 * MINUTE_MS);
    await rooms.uses.note(await find(spared.sessionId), "tester");
    expect(await usesOf(spared.sessionId)).toBe(1);
    const met: SessionEvent = { type: "session.metadata.set", payload: { metadata: filter.metadata } };
    for (const { sessionId } of [spared, other]) {
      const { session } = await find(sessionId);
      await rooms.events.append([change(sessionAggregate, session, [met], "tester")]);
    }
    expect(standing(await find(spared.sessionId))).toBe("active");
    expect(standing(await find(other.sessionId))).toBe("ended");
  });

  it("is not spared by a bulk ending that began while its idle lifetime was being set", async () => {
    const { sessionId } = await open();
    const { session } = await find(sessionId);
    await endSessions(rooms, owner, { filter: { ids: [sessionId] }, all: false });
    const decided: SessionEvent = { type: "session.idle_lifetime.set", payload: { idleLifetime: null } };
    await rooms.events.append([change(sessionAggregate, session, [decided], "tester")]);
    expect(standing(await find(sessionId))).toBe("ended");
    expect(await outcomeOf(idle(sessionId, IDLE_MS))).toBe("session.terminated");
  });

  it("gets another idle lifetime, or none, without another token", async () => {
    const { sessionId, token, details } = await open();
    const set = await idle(sessionId, 2 * IDLE_MS);
    expect(set.sequence).toBe(details.sequence + 1);
    expect(await idle(sessionId, 2 * IDLE_MS)).toEqual(set);
    const { session } = await getSession(rooms, caller("nobody"), { sessionId, token });
    expect(session.expiresAt).toEqual(new Date(session.changedAt.getTime() + 2 * IDLE_MS));
    await idle(sessionId, null);
    expect((await find(sessionId)).session).toMatchObject({
      idleLifetime: null,
      idleEndsAt: null,
      expiresAt: null,
    });
  });

  it("has its idle lifetime set by whoever may change it, and while it can be changed", async () => {
    const { sessionId } = await open();
    const viewer = caller("viewer", { instance: ["IAM_OWNER_VIEWER"] });
    const outcome = (id: string, milliseconds: number | null, as = owner) =>
      outcomeOf(idle(id, milliseconds, as));
    expect(await outcome(sessionId, IDLE_MS, viewer)).toBe("auth.permission_denied");
    expect(await outcome("nowhere", IDLE_MS, viewer)).toBe("auth.permission_denied");
    expect(await outcome("nowhere", IDLE_MS)).toBe("session.not_found");
    for (const milliseconds of [0, MINUTE_MS - 1, 36_501 * 24 * 60 * MINUTE_MS]) {
      expect(await outcome(sessionId, milliseconds)).toBe("session.idle_lifetime_invalid");
    }
    expect(await outcome(sessionId, MINUTE_MS)).toBe("ok");
    await deleteSession(rooms, owner, { sessionId });
    expect(await outcome(sessionId, IDLE_MS)).toBe("session.terminated");
  });

  it("ends with its lifetime where that is earlier, however it is used", async () => {
    const { sessionId } = await open({}, { lifetimeMs: IDLE_MS + MINUTE_MS });
    const { session } = await find(sessionId);
    expect(session.expiresAt).toEqual(session.idleEndsAt);
    await age(sessionId, 10 * MINUTE_MS);
    await rooms.uses.note(await find(sessionId), "tester");
    const { session: used } = await find(sessionId);
    expect(used.expiresAt).toEqual(used.lifetimeEndsAt);
    expect(used.idleEndsAt!.getTime()).toBeGreaterThan(used.lifetimeEndsAt!.getTime());
  });
});
