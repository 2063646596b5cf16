import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connectJson,
  currentVersion,
  refusalOf,
  refused,
  type SessionClient,
  wireClients,
} from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  type Cast,
  expiredSession,
  type House,
  removeFromInstance,
  signIn,
  startHouse,
  userCheck,
} from "../support/fixtures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
const wrongToken = refused(Code.PermissionDenied, "permission denied", "QUERY-dsfr3");
const unknown = refused(Code.NotFound, "session does not exist", "QUERY-SFeaa");

describe.each(engines)("GetSession on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  let nobody: SessionClient;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
    nobody = house.as(cast.nobody);
  });
  afterAll(() => house.close());

  test.each([
    [
      "S-050: an empty id",
      { sessionId: "" },
      "SessionId: value length must be between 1 and 200 runes, inclusive",
    ],
    [
      "an id of 201",
      { sessionId: "🏰".repeat(201) },
      "SessionId: value length must be between 1 and 200 runes, inclusive",
    ],
    [
      "an empty token",
      { sessionId: "x", sessionToken: "" },
      "SessionToken: value length must be between 1 and 500 runes, inclusive",
    ],
  ])("%s is refused by the name of its field", async (_, request, text) => {
    expect(await refusalOf(house.as(cast.orgOwner).getSession(request))).toEqual({
      code: Code.InvalidArgument,
      message: `invalid GetSessionRequest.${text}`,
    });
  });

  test("S-052: nobody reads somebody's session without its token", async () => {
    const { sessionId } = await client.createSession({});
    expect(await refusalOf(nobody.getSession({ sessionId }))).toEqual(denied);
  });

  test("S-053: the owner of the instance reads it without, and sees what the creation answered", async () => {
    const { sessionId, details } = await client.createSession({});
    const { session } = await house.as(cast.owner).getSession({ sessionId });
    expect(session).toMatchObject({ id: sessionId, sequence: details!.sequence });
    expect(session!.creationDate).toEqual(details!.changeDate);
    expect(session!.changeDate).toEqual(details!.changeDate);
  });

  test("S-054: the right token opens it to everybody who is somebody", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    expect((await nobody.getSession({ sessionId, sessionToken })).session!.id).toBe(sessionId);
  });

  test("S-055, S-183, S-184, S-185: the user agent comes back as it was sent", async () => {
    const userAgent = {
      fingerprintId: "fingerprint",
      ip: "1.2.3.4",
      description: "Browser 7 on 🏰",
      header: { "user-agent": { values: ["second", "first"] }, Accept: { values: ["*/*"] } },
    };
    const { sessionId, sessionToken } = await client.createSession({ userAgent });
    const { session } = await nobody.getSession({ sessionId, sessionToken });
    expect(session!.userAgent).toMatchObject(userAgent);
    expect(Object.keys(session!.userAgent!.header).sort()).toEqual(["Accept", "user-agent"]);
  });

  test("S-183: of a user agent in part, the rest is not there", async () => {
    const { sessionId } = await client.createSession({
      userAgent: { fingerprintId: "fingerprint", description: "Browser" },
    });
    const { userAgent } = (await client.getSession({ sessionId })).session!;
    expect(userAgent).toMatchObject({ fingerprintId: "fingerprint", description: "Browser", header: {} });
    expect(userAgent!.ip).toBeUndefined();
  });

  test("S-056: the expiration is the creation and the lifetime", async () => {
    const { sessionId, sessionToken, details } = await client.createSession({ lifetime: { seconds: 300n } });
    const { session } = await nobody.getSession({ sessionId, sessionToken });
    expect(timestampMs(session!.expirationDate!)).toBe(timestampMs(details!.changeDate!) + 300_000);
  });

  test("S-057, S-176: metadata comes back, and without a user there are no factors", async () => {
    const { sessionId, sessionToken } = await client.createSession({
      metadata: { foo: bytes("bar"), "key with 🏰": bytes("x") },
      userAgent: { ip: "::1" },
      lifetime: { seconds: 60n },
    });
    const { session } = await nobody.getSession({ sessionId, sessionToken });
    expect(session!.metadata).toEqual({ foo: bytes("bar"), "key with 🏰": bytes("x") });
    expect(session!.factors).toBeUndefined();
    expect(session!.userAgent!.ip).toBe("::1");
    expect(session!.expirationDate).toBeDefined();
  });

  test("S-058, S-177: the user factor has time, id, names and organization", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: userCheck(cast.otto) });
    const { factors } = (await nobody.getSession({ sessionId, sessionToken })).session!;
    expect(factors!.user).toMatchObject({
      id: cast.otto.id,
      loginName: cast.otto.loginName,
      displayName: cast.otto.displayName,
      organizationId: cast.elsewhere.id,
    });
    expect(factors!.user!.verifiedAt).toBeDefined();
    expect(factors!.password).toBeUndefined();
  });

  test("S-178: the password factor has its time beside the user's", async () => {
    const { sessionId } = await client.createSession({ checks: signIn(cast.mia) });
    const { factors } = (await client.getSession({ sessionId })).session!;
    expect(factors!.user!.id).toBe(cast.mia.id);
    expect(timestampMs(factors!.password!.verifiedAt!)).toBeGreaterThanOrEqual(
      timestampMs(factors!.user!.verifiedAt!),
    );
    for (const other of ["webAuthN", "intent", "totp", "otpSms", "otpEmail"] as const)
      expect(factors![other]).toBeUndefined();
  });

  test("a machine user has a login name and no display name", async () => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.viewer) });
    const { user } = (await client.getSession({ sessionId })).session!.factors!;
    expect(user).toMatchObject({ id: cast.viewer.id, loginName: "viewer", displayName: "" });
  });

  test("a session that ran out is still read, with its expiration in the past", async () => {
    const { id, token } = await expiredSession(client);
    const { session } = await nobody.getSession({ sessionId: id, sessionToken: token });
    expect(timestampMs(session!.expirationDate!)).toBeLessThan(Date.now());
  });

  test("a wrong token is refused, whatever the caller's permission", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const other = await client.createSession({});
    const flipped = `${sessionToken.slice(0, -2)}${sessionToken.at(-2) === "A" ? "B" : "A"}${sessionToken.at(-1)}`;
    const [prefix] = sessionToken.split(/(?<=_st_)/);
    for (const wrong of ["x", other.sessionToken, flipped, prefix!, `${sessionToken}A`, cast.owner.token]) {
      for (const caller of [client, house.as(cast.owner), nobody])
        expect(await refusalOf(caller.getSession({ sessionId, sessionToken: wrong }))).toEqual(wrongToken);
    }
  });

  describe("of an id that is unknown", () => {
    const ids = [
      "x",
      "0",
      "no/such?session=1",
      "01a204ba-4d08-7378-bdf8-5ed1c87af579",
      "'; DROP TABLE sessions",
      "🏰".repeat(200),
    ];

    test.each(ids)(
      "%s is not found by those who may read any session, on every protocol",
      async (sessionId) => {
        for (const protocol of wireClients(currentVersion)) {
          const reply = await protocol.send(
            { url: house.url, authorization: `Bearer ${cast.viewer.token}` },
            "GetSession",
            { sessionId },
          );
          expect({ code: reply.code, message: reply.message }, protocol.name).toEqual({
            code: unknown.code,
            message: unknown.message,
          });
        }
      },
    );

    test.each(["owner", "loginClient", "viewer", "userManager"] as const)(
      "a caller like %s is told so",
      async (who) => {
        expect(await refusalOf(house.as(cast[who]).getSession({ sessionId: "x" }))).toEqual(unknown);
      },
    );

    test.each(["orgOwner", "orgUserManager", "permissionEditor", "otherOrgOwner", "nobody"] as const)(
      "a caller like %s cannot tell it from a session of others, byte for byte",
      async (who) => {
        const foreign = await client.createSession({
          checks: userCheck(who === "otherOrgOwner" ? cast.mia : cast.otto),
        });
        const ended = await client.createSession({
          checks: userCheck(who === "otherOrgOwner" ? cast.mia : cast.otto),
        });
        await client.deleteSession({ sessionId: ended.sessionId });
        const endpoint = { url: house.url, authorization: `Bearer ${cast[who].token}` };
        for (const method of ["GetSession", "SetSession", "DeleteSession"] as const) {
          for (const sessionToken of method === "SetSession" ? [undefined] : [undefined, "wrong"]) {
            const replies = await Promise.all(
              [foreign.sessionId, ended.sessionId, crypto.randomUUID()].map((sessionId) =>
                rawAnswer(endpoint, method, { sessionId, ...(sessionToken ? { sessionToken } : {}) }),
              ),
            );
            expect(replies[0]!.status).toBe(403);
            expect(replies[1]).toEqual(replies[0]);
            expect(replies[2]).toEqual(replies[0]);
          }
        }
      },
    );
  });

  test("a caller who made a session and lost the role still reads it", async () => {
    const leaver = house.as(cast.leaver);
    const { sessionId } = await leaver.createSession({ checks: userCheck(cast.mia) });
    await house.operate((database) => removeFromInstance(database, cast.leaver));
    expect((await leaver.getSession({ sessionId })).session!.id).toBe(sessionId);
    expect(await refusalOf(leaver.createSession({}))).toEqual(denied);
  });

  test("a token in the query of REST is read under both of its names", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    for (const name of ["sessionToken", "session_token"]) {
      const answer = await fetch(`${house.url}/v2/sessions/${sessionId}?${name}=${sessionToken}`, {
        headers: { authorization: `Bearer ${cast.nobody.token}` },
      });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ session: { id: sessionId } });
    }
    const reply = await connectJson.send(
      { url: house.url, authorization: `Bearer ${cast.nobody.token}` },
      "GetSession",
      { session_id: sessionId, session_token: sessionToken },
    );
    expect(reply.code).toBe(0);
  });
});

/** Everything an HTTP client sees of a REST answer, except what is another for every answer: request id and date. */
async function rawAnswer(
  { url, authorization }: { url: string; authorization: string },
  method: "GetSession" | "SetSession" | "DeleteSession",
  { sessionId, ...request }: { sessionId: string; sessionToken?: string },
) {
  const verb = { GetSession: "GET", SetSession: "PATCH", DeleteSession: "DELETE" }[method];
  const query = verb === "GET" ? `?${new URLSearchParams(request)}` : "";
  const answer = await fetch(`${url}/v2/sessions/${sessionId}${query}`, {
    method: verb,
    headers: { authorization },
    ...(verb === "GET" ? {} : { body: JSON.stringify(request) }),
  });
  const { "x-request-id": _, date: __, ...headers } = Object.fromEntries(answer.headers);
  return { status: answer.status, headers, body: await answer.text() };
}
