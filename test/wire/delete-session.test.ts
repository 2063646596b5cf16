import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusalOf, refused, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  appendToUser,
  type Cast,
  expiredSession,
  type House,
  removeFromInstance,
  signIn,
  startHouse,
  streamOf,
  userCheck,
} from "../support/fixtures.ts";

const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
const wrongToken = refused(Code.PermissionDenied, "session token is invalid", "COMMAND-sGr42");
const unknown = refused(Code.NotFound, "session does not exist", "QUERY-SFeaa");

describe.each(engines)("DeleteSession on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  let nobody: SessionClient;
  let owner: SessionClient;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
    nobody = house.as(cast.nobody);
    owner = house.as(cast.owner);
  });
  afterAll(() => house.close());

  test("S-037, S-116: a wrong token is refused although the caller has the permission", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const other = await client.createSession({});
    for (const wrong of ["invalid", other.sessionToken, `${sessionToken}A`])
      expect(await refusalOf(owner.deleteSession({ sessionId, sessionToken: wrong }))).toEqual(wrongToken);
    expect((await owner.getSession({ sessionId })).session!.sequence).toBe(2n);
  });

  test("a token that was rotated away does not end the session", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    await client.setSession({ sessionId, lifetime: { seconds: 60n } });
    expect(await refusalOf(client.deleteSession({ sessionId, sessionToken }))).toEqual(wrongToken);
  });

  test("S-038: the right token ends it, for anybody who holds it", async () => {
    for (const caller of [owner, nobody]) {
      const { sessionId, sessionToken, details: created } = await client.createSession({});
      const { details } = await caller.deleteSession({ sessionId, sessionToken });
      expect(details).toMatchObject({ sequence: 3n, resourceOwner: cast.instanceId });
      expect(details!.creationDate).toEqual(created!.changeDate);
      expect(await refusalOf(owner.getSession({ sessionId }))).toEqual(unknown);
    }
  });

  test("an empty token counts as none", async () => {
    const { sessionId } = await client.createSession({});
    expect((await owner.deleteSession({ sessionId, sessionToken: "" })).details!.sequence).toBe(3n);
  });

  test("S-040, S-121: one's own session is ended by the token of another session of one's own", async () => {
    const one = await client.createSession({ checks: userCheck(cast.mia) });
    const other = await client.createSession({ checks: signIn(cast.mia) });
    const mia = house.as({ token: other.sessionToken });
    expect((await mia.deleteSession({ sessionId: one.sessionId })).details!.sequence).toBe(4n);
    // And then oneself.
    await mia.deleteSession({ sessionId: other.sessionId });
    expect(await refusalOf(mia.listSessions({}))).toEqual(unknown);
  });

  test("one's own session does not open those of others, nor one without a user", async () => {
    const { sessionToken } = await client.createSession({ checks: signIn(cast.mia) });
    const mia = house.as({ token: sessionToken });
    for (const checks of [userCheck(cast.noah), {}]) {
      const { sessionId } = await client.createSession({ checks });
      expect(await refusalOf(mia.deleteSession({ sessionId }))).toEqual(denied);
    }
  });

  test.each([
    ["S-041: the organization's owner", "orgOwner"],
    ["the organization's manager of users", "orgUserManager"],
    ["the instance's manager of users", "userManager"],
    ["S-122: the login client", "loginClient"],
    ["the instance's owner", "owner"],
  ] as const)("%s ends the session of a user", async (_, who) => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.mia) });
    expect((await house.as(cast[who]).deleteSession({ sessionId })).details!.sequence).toBe(4n);
    expect(await refusalOf(owner.getSession({ sessionId }))).toEqual(unknown);
  });

  test.each([
    ["S-117: nobody in particular", "nobody"],
    ["another organization's owner", "otherOrgOwner"],
    ["a viewer of the instance", "viewer"],
    ["a member without the permission", "permissionEditor"],
  ] as const)("%s ends nothing", async (_, who) => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.mia) });
    expect(await refusalOf(house.as(cast[who]).deleteSession({ sessionId }))).toEqual(denied);
    expect((await owner.getSession({ sessionId })).session!.sequence).toBe(3n);
  });

  test("an organization's owner ends no session without a user", async () => {
    const { sessionId } = await client.createSession({});
    expect(await refusalOf(house.as(cast.orgOwner).deleteSession({ sessionId }))).toEqual(denied);
  });

  test("to have made a session is no right to end it", async () => {
    const leaver = house.as(cast.leaver);
    const { sessionId } = await leaver.createSession({ checks: userCheck(cast.mia) });
    await house.operate((database) => removeFromInstance(database, cast.leaver));
    expect(await refusalOf(leaver.deleteSession({ sessionId }))).toEqual(denied);
  });

  test("S-118, X-022: ending it again answers the details of the first ending, with its last token or without", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const { details } = await nobody.deleteSession({ sessionId, sessionToken });
    expect((await nobody.deleteSession({ sessionId, sessionToken })).details).toEqual(details);
    expect((await owner.deleteSession({ sessionId })).details).toEqual(details);
    expect(await refusalOf(owner.deleteSession({ sessionId, sessionToken: "wrong" }))).toEqual(wrongToken);
    expect(await refusalOf(nobody.deleteSession({ sessionId }))).toEqual(denied);
    const events = await house.operate((database) => streamOf(database, "session", sessionId));
    expect(events.map(({ type }) => type)).toEqual([
      "session.added",
      "session.token.set",
      "session.terminated",
    ]);
  });

  test("eight at once all get the details of one ending", async () => {
    const { sessionId } = await client.createSession({});
    const answers = await Promise.all(Array.from({ length: 8 }, () => client.deleteSession({ sessionId })));
    expect(answers[0]!.details!.sequence).toBe(3n);
    for (const { details } of answers) expect(details).toEqual(answers[0]!.details);
  });

  test("an id that never was is not found by those who may end any session, and any token for it is wrong", async () => {
    for (const sessionId of ["no-such-session", crypto.randomUUID()]) {
      expect(await refusalOf(client.deleteSession({ sessionId }))).toEqual(unknown);
      expect(await refusalOf(house.as(cast.viewer).deleteSession({ sessionId }))).toEqual(denied);
      const { sessionToken } = await client.createSession({});
      expect(await refusalOf(client.deleteSession({ sessionId, sessionToken }))).toEqual(wrongToken);
    }
  });

  test("a session that ran out can still be ended", async () => {
    const { id, token } = await expiredSession(client);
    // It ran out, and it leaves the view: two events.
    expect((await nobody.deleteSession({ sessionId: id, sessionToken: token })).details!.sequence).toBe(5n);
    const other = await expiredSession(client);
    expect((await owner.deleteSession({ sessionId: other.id })).details!.sequence).toBe(5n);
  });

  test("a session that is gone with its user can still be ended", async () => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.otto) });
    await house.operate((database) =>
      appendToUser(database, cast.otto, { type: "user.deactivated", payload: {} }),
    );
    expect((await owner.deleteSession({ sessionId })).details!.sequence).toBe(4n);
    expect(await refusalOf(owner.getSession({ sessionId }))).toEqual(unknown);
  });

  test("an ended session is in no list, and its token no credential", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: signIn(cast.mia) });
    await client.deleteSession({ sessionId });
    const { sessions, details } = await owner.listSessions({
      queries: [{ query: { case: "idsQuery", value: { ids: [sessionId] } } }],
    });
    expect(sessions).toEqual([]);
    expect(details!.totalResult).toBe(0n);
    expect(await refusalOf(house.as({ token: sessionToken }).listSessions({}))).toEqual(unknown);
    expect(await refusalOf(nobody.getSession({ sessionId, sessionToken }))).toEqual(unknown);
  });

  test("REST takes a DELETE with a body, and one without", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const send = (body?: string) =>
      fetch(`${house.url}/v2/sessions/${sessionId}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${cast.owner.token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
    expect((await send(JSON.stringify({ sessionToken: "wrong" }))).status).toBe(403);
    const first = await send(JSON.stringify({ sessionToken }));
    expect(first.status).toBe(200);
    const again = await send();
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(await first.json());
  });
});
