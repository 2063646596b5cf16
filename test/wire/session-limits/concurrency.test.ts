import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import {
  type House,
  type Human,
  PASSWORD,
  startHouse,
  streamOf,
  userRow,
  WRONG_PASSWORD,
} from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { type Calls, callsOf, outcomeOf } from "./calls.ts";

const REFUSED = "[resource_exhausted] the user has as many live sessions as are allowed (GATE-L1mUs)";

describe.each(engines)("the limit of live sessions per user on %s", (engine) => {
  let house: House;
  let calls: Calls;
  beforeAll(async () => {
    house = await startHouse(engine);
  });
  afterAll(() => house.close());

  /** The server may have moved. */
  const renew = () => {
    calls = callsOf(house, house.cast.owner.token);
  };
  const limit = (maxSessionsPerUser: number, policy: "REFUSE" | "END_OLDEST" = "REFUSE") => {
    renew();
    const concurrency = { maxSessionsPerUser, policy: `CONCURRENCY_POLICY_${policy}` };
    return calls.settings("SetSessionSettings", { settings: { concurrency } });
  };
  const named = ({ id }: Human): JsonObject => ({ checks: { user: { userId: id } } });
  const open = async (user: Human, more: JsonObject = {}): Promise<string> =>
    (await calls.sessions("CreateSession", { ...named(user), ...more })).sessionId as string;
  const opened = (user: Human) => outcomeOf(open(user));
  const anonymous = async () => (await calls.sessions("CreateSession", {})).sessionId as string;
  const claim = (sessionId: string, user: Human) =>
    outcomeOf(calls.sessions("SetSession", { sessionId, ...named(user) }));
  const end = (sessionId: string) => calls.sessions("DeleteSession", { sessionId });
  /** The oldest first. */
  const liveOf = async ({ id }: Human): Promise<string[]> => {
    const request = { query: { asc: true }, queries: [{ userIdQuery: { id } }] };
    const { sessions } = await calls.sessions("ListSessions", request);
    return ((sessions ?? []) as JsonObject[]).map((session) => session.id as string);
  };
  const endAll = async (user: Human) => {
    for (const id of await liveOf(user)) await end(id);
  };
  const eventsOf = async (type: "session" | "user", id: string) => {
    const events = await house.operate((database) => streamOf(database, type, id));
    renew();
    return events;
  };

  test.each(protocolsOn(engine))(
    "refuses one too many over %s, until another one is over",
    async (protocol) => {
      await limit(2);
      const { mia } = house.cast;
      const { sessions } = callsOf(house, house.cast.loginClient.token, protocol);
      const create = () => outcomeOf(sessions("CreateSession", named(mia)));
      expect([await create(), await create(), await create()]).toEqual([
        "ok",
        "ok",
        expect.stringContaining("GATE-L1mUs"),
      ]);
      expect(await create()).toContain("[resource_exhausted]");
      const [first] = await liveOf(mia);
      await end(first!);
      expect([await create(), await opened(mia)]).toEqual(["ok", REFUSED]);
      await endAll(mia);
    },
  );

  test("is none for anonymous sessions and other users, and for one that names its user again", async () => {
    await limit(1);
    const { mia, noah } = house.cast;
    const sessionId = await open(mia);
    expect(await claim(sessionId, mia)).toBe("ok");
    expect([await opened(noah), await opened(mia)]).toEqual(["ok", REFUSED]);
    await anonymous();
    await anonymous();
    await Promise.all([endAll(mia), endAll(noah)]);
  });

  test("counts where an anonymous session gets its user, and leaves it anonymous if it refuses", async () => {
    await limit(1);
    const { mia } = house.cast;
    const [first, second] = [await anonymous(), await anonymous()];
    expect([await claim(first, mia), await claim(second, mia)]).toEqual(["ok", REFUSED]);
    const { session } = await calls.sessions("GetSession", { sessionId: second });
    expect(session).toMatchObject({ sequence: "2" });
    expect(session).not.toHaveProperty("factors");
    await end(first);
    expect(await claim(second, mia)).toBe("ok");
    await endAll(mia);
  });

  test("does not count what is over: ended, expired, or of a user locked since", async () => {
    await limit(1);
    const { mia } = house.cast;
    await end(await open(mia));
    await open(mia, { lifetime: "0.001s" });
    const admitted = async () => (await opened(mia)) === "ok";
    // The database's clock has to pass a millisecond.
    while (!(await admitted())) expect(await liveOf(mia)).toHaveLength(1);
    expect(await opened(mia)).toBe(REFUSED);
    await calls.control("EndUserSessions", { userId: mia.id });
    expect(await opened(mia)).toBe("ok");
    await endAll(mia);
  });

  test("comes after the checks: a wrong password is one, and counts", async () => {
    await limit(1);
    const { noah } = house.cast;
    const signIn = (password: string) =>
      outcomeOf(
        calls.sessions("CreateSession", { checks: { user: { userId: noah.id }, password: { password } } }),
      );
    await open(noah);
    expect(await signIn(WRONG_PASSWORD)).toContain("password is invalid (COMMAND-3M0fs)");
    expect(await signIn(WRONG_PASSWORD)).toContain("password is invalid (COMMAND-3M0fs)");
    const before = await house.operate((database) => userRow(database, noah));
    expect(before.passwordFailedAttempts).toBe(2);
    renew();
    // Refused by the limit, nothing is stored: the count goes on where it was.
    expect(await signIn(PASSWORD)).toBe(REFUSED);
    expect(await house.operate((database) => userRow(database, noah))).toEqual(before);
    renew();
    await endAll(noah);
    expect(await signIn(PASSWORD)).toBe("ok");
    const after = await house.operate((database) => userRow(database, noah));
    expect(after.passwordFailedAttempts).toBe(0);
    renew();
    await endAll(noah);
  });

  test("ends the oldest where that is the policy, in the commit of the new one", async () => {
    await limit(2, "END_OLDEST");
    const { mia } = house.cast;
    const first = await open(mia);
    const second = await open(mia);
    const third = await open(mia);
    expect(await liveOf(mia)).toEqual([second, third]);
    expect(await outcomeOf(calls.sessions("GetSession", { sessionId: first }))).toContain("[not_found]");
    const ended = (await eventsOf("session", first)).at(-1)!;
    expect(ended).toMatchObject({
      type: "session.terminated",
      actorId: house.cast.owner.id,
      payload: { reason: "replaced" },
    });
    const began = await eventsOf("session", third);
    expect(ended.createdAt).toEqual(began[0]!.createdAt);
    const anonymousOne = await anonymous();
    expect(await claim(anonymousOne, mia)).toBe("ok");
    expect(await liveOf(mia)).toEqual([third, anonymousOne]);
    await endAll(mia);
  });

  test("that was lowered ends all that are too many with the next one, or refuses until few are left", async () => {
    await limit(0);
    const { mia } = house.cast;
    const ids: string[] = [];
    for (let count = 0; count < 6; count++) ids.push(await open(mia));
    await limit(4);
    expect(await opened(mia)).toBe(REFUSED);
    expect(await liveOf(mia)).toEqual(ids);
    await limit(3, "END_OLDEST");
    const newest = await open(mia);
    expect(await liveOf(mia)).toEqual([...ids.slice(-2), newest]);
    await endAll(mia);
  });

  test("that was lowered ends hundreds that are too many", async () => {
    await limit(0);
    const { noah } = house.cast;
    await Promise.all(Array.from({ length: 450 }, () => open(noah)));
    await limit(2, "END_OLDEST");
    const newest = await open(noah);
    const live = await liveOf(noah);
    expect([live.length, live.at(-1)]).toEqual([2, newest]);
    await endAll(noah);
  });

  test("is the organization's where it has one of its own", async () => {
    await limit(1);
    const { mia, otto, home } = house.cast;
    const concurrency = { maxSessionsPerUser: 2, policy: "CONCURRENCY_POLICY_END_OLDEST" };
    await calls.settings("SetOrganizationConcurrency", { organizationId: home.id, concurrency });
    const ids = [await open(mia), await open(mia), await open(mia)];
    expect(await liveOf(mia)).toEqual(ids.slice(1));
    expect([await opened(otto), await opened(otto)]).toEqual(["ok", REFUSED]);
    await calls.settings("ResetOrganizationConcurrency", { organizationId: home.id });
    expect(await opened(mia)).toBe(REFUSED);
    await Promise.all([endAll(mia), endAll(otto)]);
  });

  test("leaves its trace on the user, and only while there is one", async () => {
    await limit(0);
    const { lea } = house.cast;
    await open(lea);
    await limit(2);
    const admitted = await open(lea);
    const events = await eventsOf("user", lea.id);
    expect(events.filter(({ type }) => type === "user.session.admitted")).toMatchObject([
      { payload: { sessionId: admitted } },
    ]);
    await limit(0);
    await endAll(lea);
  });
});
