import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectJson, refusalOf, refused, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  appendToUser,
  type Cast,
  expiredSession,
  type House,
  PASSWORD,
  removeFromInstance,
  signIn,
  startHouse,
  userCheck,
  userRow,
} from "../support/fixtures.ts";

const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
const notProven = refused(Code.PermissionDenied, "authentication required", "AUTHZ-Kl3p0");
const invalidToken = refused(Code.Unauthenticated, "Errors.Token.Invalid", "AUTH-7fs1e");
const unknown = refused(Code.NotFound, "session does not exist", "QUERY-SFeaa");
const stale = refused(Code.PermissionDenied, "Errors.PermissionDenied", "QUERY-dsfr3");

describe.each(engines)("a session token as bearer credential on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
  });
  afterAll(() => house.close());

  test("speaks for its user: sees the user's sessions and no others, and may not create any", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: signIn(cast.noah) });
    const other = await client.createSession({ checks: userCheck(cast.noah) });
    await client.createSession({ checks: signIn(cast.mia) });
    const noah = house.as({ token: sessionToken });
    expect((await noah.getSession({ sessionId })).session!.id).toBe(sessionId);
    const { sessions, details } = await noah.listSessions({});
    expect(sessions.map(({ id }) => id).sort()).toEqual([sessionId, other.sessionId].sort());
    expect(details!.totalResult).toBe(2n);
    expect(await refusalOf(noah.createSession({}))).toEqual(denied);
    expect(await refusalOf(noah.setSession({ sessionId, lifetime: { seconds: 60n } }))).toEqual(denied);
  });

  test("opens a session of others only together with that session's token", async () => {
    const { sessionToken } = await client.createSession({ checks: signIn(cast.noah) });
    const noah = house.as({ token: sessionToken });
    const foreign = await client.createSession({ checks: userCheck(cast.mia) });
    expect(await refusalOf(noah.getSession({ sessionId: foreign.sessionId }))).toEqual(denied);
    expect(
      (await noah.getSession({ sessionId: foreign.sessionId, sessionToken: foreign.sessionToken })).session!
        .id,
    ).toBe(foreign.sessionId);
  });

  test.each([
    ["no user", {}],
    ["a user and no proof", "user"],
  ] as const)("of a session with %s proves nothing", async (_, what) => {
    const { sessionToken } = await client.createSession({
      checks: what === "user" ? userCheck(cast.mia) : {},
    });
    expect(await refusalOf(house.as({ token: sessionToken }).listSessions({}))).toEqual(notProven);
  });

  test("becomes one with the password check, and the token from before is stale", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: userCheck(cast.mia) });
    const changed = await client.setSession({ sessionId, checks: { password: { password: PASSWORD } } });
    expect(await refusalOf(house.as({ token: sessionToken }).getSession({ sessionId }))).toEqual(stale);
    await house.as({ token: changed.sessionToken }).getSession({ sessionId });
  });

  test("S-048: of an ended session is not found", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: signIn(cast.mia) });
    const mia = house.as({ token: sessionToken });
    await mia.getSession({ sessionId });
    await client.deleteSession({ sessionId, sessionToken });
    expect(await refusalOf(mia.getSession({ sessionId }))).toEqual(unknown);
  });

  test("S-049: of a session that ran out is refused", async () => {
    const { id, token } = await expiredSession(client, signIn(cast.mia));
    expect(await refusalOf(house.as({ token }).getSession({ sessionId: id }))).toEqual(
      refused(Code.PermissionDenied, "session expired", "AUTHZ-EGDo3"),
    );
  });

  test("that was never issued is refused without a hint why", async () => {
    const { sessionToken } = await client.createSession({ checks: signIn(cast.mia) });
    const body = sessionToken.slice("gatehouse_st_".length);
    const swapped = Buffer.from(body, "base64url");
    swapped[20]! ^= 1;
    for (const token of [
      "gatehouse_st_",
      "gatehouse_st_x",
      `gatehouse_st_${"A".repeat(body.length)}`,
      `gatehouse_st_${swapped.toString("base64url")}`,
      `${sessionToken}AAAA`,
      body,
    ]) {
      expect(await refusalOf(house.as({ token }).listSessions({}))).toEqual(invalidToken);
    }
  });

  test("ends with its user, and proves nothing once the password is another", async () => {
    const sessionOf = async (user: { id: string }) => {
      const { sessionToken } = await client.createSession({ checks: signIn(user) });
      return house.as({ token: sessionToken });
    };
    const [mia, otto, lea] = [
      await sessionOf(cast.mia),
      await sessionOf(cast.otto),
      await sessionOf(cast.lea),
    ];
    for (const each of [mia, otto, lea])
      expect((await each.listSessions({})).details!.totalResult).toBeGreaterThan(0n);
    await house.operate(async (database) => {
      const { passwordHash } = await userRow(database, cast.noah);
      await appendToUser(database, cast.mia, {
        type: "user.human.password.changed",
        payload: { encodedHash: passwordHash!, changeRequired: false },
      });
      await appendToUser(database, cast.otto, { type: "user.deactivated", payload: {} });
      await appendToUser(database, cast.lea, { type: "user.locked", payload: {} });
    });
    expect(await refusalOf(mia.listSessions({}))).toEqual(notProven);
    expect(await refusalOf(otto.listSessions({}))).toEqual(unknown);
    expect(await refusalOf(lea.listSessions({}))).toEqual(unknown);
  });
});

describe.each(engines)("a personal access token on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse(engine);
  });
  afterAll(() => house.close());

  test.each([
    ["expired", () => house.cast.expired.token],
    ["of a locked user", () => house.cast.lockedOwner.token],
    ["nobody has", () => "gatehouse_pat_nobodys"],
    ["with a character more", () => `${house.cast.owner.token}x`],
  ])("that is %s is refused", async (_, token) => {
    expect(await refusalOf(house.as({ token: token() }).listSessions({}))).toEqual(invalidToken);
  });

  test("is taken after the literal Bearer only, and whatever is before that", async () => {
    const { token } = house.cast.owner;
    const codeOf = async (authorization: string) =>
      (await connectJson.send({ url: house.url, authorization }, "ListSessions", {})).code;
    expect(await codeOf(`Bearer ${token}`)).toBe(0);
    expect(await codeOf(`anything Bearer ${token}`)).toBe(0);
    for (const header of [
      `bearer ${token}`,
      `Basic ${token}`,
      token,
      `Bearer ${token} Bearer ${token}`,
      "Bearer  ",
    ])
      expect(await codeOf(header), header).toBe(Code.Unauthenticated);
  });

  test("is no credential in a query or a cookie", async () => {
    const { token } = house.cast.owner;
    const answer = await fetch(
      `${house.url}/v2/sessions/search?access_token=${token}&authorization=Bearer%20${token}`,
      {
        method: "POST",
        headers: { cookie: `authorization=Bearer ${token}`, "content-type": "application/json" },
        body: "{}",
      },
    );
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ code: 16, message: "auth header missing" });
  });

  test("loses what it was allowed with the role, and everything with its user, at once", async () => {
    const { cast } = house;
    const [leaver, viewer] = [house.as(cast.leaver), house.as(cast.viewer)];
    const { sessionId } = await leaver.createSession({});
    await viewer.getSession({ sessionId });
    await house.operate(async (database) => {
      await removeFromInstance(database, cast.leaver);
      await appendToUser(database, cast.viewer, { type: "user.deactivated", payload: {} });
    });
    expect(await refusalOf(leaver.createSession({}))).toEqual(denied);
    expect(await refusalOf(viewer.getSession({ sessionId }))).toEqual(invalidToken);
  });
});
