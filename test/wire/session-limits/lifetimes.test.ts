import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ageSession } from "../../support/age-session.ts";
import { engines } from "../../support/databases.ts";
import { type House, PASSWORD, startHouse, streamOf } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { callsOf, outcomeOf } from "./calls.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

describe.each(engines)("how long sessions live on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse(engine);
  });
  afterAll(() => house.close());

  const calls = () => callsOf(house, house.cast.owner.token);
  const sessions = (name: string, request?: JsonObject) => calls().sessions(name, request);
  const settings = (changes: JsonObject) => calls().settings("SetSessionSettings", { settings: changes });
  const open = async (request: JsonObject = {}) => {
    const { sessionId, sessionToken } = await sessions("CreateSession", request);
    return { sessionId: sessionId as string, sessionToken: sessionToken as string };
  };
  type Session = { creationDate: string; changeDate: string; expirationDate?: string; sequence: string };
  const read = async (sessionId: string, more: JsonObject = {}) =>
    (await sessions("GetSession", { sessionId, ...more })).session as Session;
  /** Milliseconds from its creation to its end; undefined: it has none. */
  const spanOf = async (sessionId: string) => {
    const { creationDate, expirationDate } = await read(sessionId);
    return expirationDate && Date.parse(expirationDate) - Date.parse(creationDate);
  };
  const age = (opened: readonly { sessionId: string }[], milliseconds: number) =>
    house.operate(async ({ db }) => {
      for (const { sessionId } of opened) await ageSession(db, sessionId, milliseconds);
    });
  const eventsOf = (sessionId: string) =>
    house.operate((database) => streamOf(database, "session", sessionId));

  test("is as asked for without a limit, and for ever unless asked", async () => {
    await settings({});
    expect(await spanOf((await open({ lifetime: "90000s" })).sessionId)).toBe(90_000_000);
    expect(await spanOf((await open()).sessionId)).toBeUndefined();
  });

  test.each<[string, JsonObject, number]>([
    ["a longer one", { lifetime: "7200s" }, HOUR_MS],
    ["none", {}, HOUR_MS],
    ["a shorter one", { lifetime: "60s" }, MINUTE_MS],
  ])("is the limit at most, where a session is created with %s", async (_, request, span) => {
    await settings({ maxLifetime: "3600s" });
    expect(await spanOf((await open(request)).sessionId)).toBe(span);
  });

  test("is the limit from the creation at most, to the millisecond, whatever a change asks for", async () => {
    await settings({ maxLifetime: "3600s" });
    const { sessionId } = await open({ lifetime: "60s" });
    await sessions("SetSession", { sessionId, lifetime: "3600s" });
    expect(await spanOf(sessionId)).toBe(HOUR_MS);
    await sessions("SetSession", { sessionId, lifetime: "30s" });
    const { changeDate, expirationDate } = await read(sessionId);
    expect(Date.parse(expirationDate!) - Date.parse(changeDate)).toBe(30_000);
  });

  test("is not touched by a lowered limit, until the session is changed", async () => {
    await settings({});
    const [endless, hour] = [await open(), await open({ lifetime: "3600s" })];
    await settings({ maxLifetime: "600s" });
    expect([await spanOf(endless.sessionId), await spanOf(hour.sessionId)]).toEqual([undefined, HOUR_MS]);
    // A change of nothing is none.
    await sessions("SetSession", { sessionId: endless.sessionId });
    expect(await spanOf(endless.sessionId)).toBeUndefined();
    const metadata = { key: "dmFsdWU=" };
    await sessions("SetSession", { sessionId: endless.sessionId, metadata });
    const idle = { sessionId: hour.sessionId, idleLifetime: "1800s" };
    await calls().control("SetIdleLifetime", idle);
    expect([await spanOf(endless.sessionId), await spanOf(hour.sessionId)]).toEqual([600_000, 600_000]);
  });

  test("is over with the next change, where a lowered limit allows the session no longer", async () => {
    await settings({});
    const [changed, idle] = [await open(), await open()];
    await age([changed, idle], 11 * MINUTE_MS);
    await settings({ maxLifetime: "600s" });
    const expired = "[failed_precondition] session has expired (COMMAND-Hkl3d)";
    const change = { sessionId: changed.sessionId, lifetime: "60s" };
    expect(await outcomeOf(sessions("SetSession", change))).toBe(expired);
    const setIdle = { sessionId: idle.sessionId, idleLifetime: "60s" };
    expect(await outcomeOf(calls().control("SetIdleLifetime", setIdle))).toBe(expired);
    for (const { sessionId } of [changed, idle]) {
      const events = (await eventsOf(sessionId)).filter(({ type }) => type !== "session.expired");
      expect(events.map(({ type }) => type)).toEqual([
        "session.added",
        "session.token.set",
        "session.lifetime.set",
      ]);
      const { expirationDate } = await read(sessionId);
      expect(new Date(expirationDate!)).toEqual(events.at(-1)!.createdAt);
    }
  });

  test.each(protocolsOn(engine))(
    "is bound by an idle lifetime that is set and cleared over %s",
    async (protocol) => {
      await settings({});
      const { control } = callsOf(house, house.cast.loginClient.token, protocol);
      const { sessionId, sessionToken } = await open();
      const set = await control("SetIdleLifetime", { sessionId, idleLifetime: "60.5s" });
      expect(set).toEqual({
        details: expect.objectContaining({ sequence: "3", resourceOwner: house.cast.instanceId }),
      });
      const { changeDate, expirationDate } = await read(sessionId, { sessionToken });
      expect(Date.parse(expirationDate!) - Date.parse(changeDate)).toBe(60_500);
      await control("SetIdleLifetime", { sessionId });
      expect(await read(sessionId, { sessionToken })).not.toHaveProperty("expirationDate");
    },
  );

  test("refuses an idle lifetime for the reasons it refuses other changes for", async () => {
    await settings({});
    const { sessionId } = await open();
    const idle = (request: JsonObject, token = house.cast.owner.token) =>
      outcomeOf(callsOf(house, token).control("SetIdleLifetime", request));
    const minute = { sessionId, idleLifetime: "60s" };
    expect(await idle({ sessionId, idleLifetime: "59s" })).toContain(
      "idle_lifetime: must be at least a minute",
    );
    expect(await idle({ sessionId, idleLifetime: "0s" })).toContain(
      "IdleLifetime: value must be greater than 0s",
    );
    expect(await idle({ idleLifetime: "60s" })).toContain("[invalid_argument]");
    expect(await idle({ ...minute, sessionId: "nowhere" })).toContain("[not_found]");
    for (const who of ["nobody", "viewer", "orgOwner", "userManager"] as const) {
      expect(await idle(minute, house.cast[who].token)).toContain("[permission_denied]");
    }
    await sessions("DeleteSession", { sessionId });
    expect(await idle(minute)).toBe("[failed_precondition] session has ended (COMMAND-Hewfq)");
  });

  test("goes on while a session is used by its token, and ends where it is not", async () => {
    await settings({ idleLifetime: "1200s" });
    const { mia } = house.cast;
    const checks = { user: { userId: mia.id }, password: { password: PASSWORD } };
    const [used, bearer, unused] = [await open({ checks }), await open({ checks }), await open({ checks })];
    await age([used, bearer, unused], 15 * MINUTE_MS);
    const { changeDate, expirationDate } = await read(used.sessionId, { sessionToken: used.sessionToken });
    expect(Date.parse(expirationDate!) - Date.parse(changeDate)).toBe(20 * MINUTE_MS);
    await callsOf(house, bearer.sessionToken).sessions("ListSessions");
    // By permission it is looked at, not used.
    await read(unused.sessionId);
    await age([used, bearer, unused], 6 * MINUTE_MS);

    const outcome = (token: string) => outcomeOf(callsOf(house, token).sessions("ListSessions"));
    expect([await outcome(used.sessionToken), await outcome(bearer.sessionToken)]).toEqual(["ok", "ok"]);
    expect(await outcome(unused.sessionToken)).toBe("[permission_denied] session expired (AUTHZ-EGDo3)");
    const types = (await eventsOf(unused.sessionId)).map(({ type }) => type);
    expect(types).not.toContain("session.used");
    await settings({});
  });

  test.each(protocolsOn(engine))(
    "tells of the use by its own token as the credential, read and ended over %s",
    async (protocol) => {
      await settings({ idleLifetime: "1200s" });
      const { mia } = house.cast;
      const checks = { user: { userId: mia.id }, password: { password: PASSWORD } };
      const { sessionId, sessionToken } = await open({ checks });
      await age([{ sessionId }], 15 * MINUTE_MS);
      const own = () => callsOf(house, sessionToken, protocol);
      const { session } = await own().sessions("GetSession", { sessionId });
      const { sequence, changeDate, expirationDate } = session as Session;
      expect(Date.parse(expirationDate!) - Date.parse(changeDate)).toBe(20 * MINUTE_MS);
      expect(await read(sessionId)).toMatchObject({ sequence, expirationDate });
      await age([{ sessionId }], 15 * MINUTE_MS);
      const { details } = await own().sessions("DeleteSession", { sessionId });
      const types = (await eventsOf(sessionId)).map(({ type }) => type);
      expect(types.slice(-3)).toEqual(["session.used", "session.used", "session.terminated"]);
      expect(details).toMatchObject({ sequence: String(types.length) });
      await settings({});
    },
  );
});
