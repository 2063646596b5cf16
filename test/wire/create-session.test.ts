import type { JsonObject } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectJson, type Refusal, refusalOf, refused, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  type Cast,
  countEvents,
  type House,
  PASSWORD,
  signIn,
  startHouse,
  streamOf,
  userCheck,
  WRONG_PASSWORD,
} from "../support/fixtures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A check or a challenge that wants a user, and what it is refused with on a session that has none. */
const userless: [scenario: string, request: JsonObject, code: Code, id: string][] = [
  ["S-006", { checks: { password: { password: PASSWORD } } }, Code.FailedPrecondition, "COMMAND-Sfw3f"],
  [
    "an account at a provider",
    { checks: { idpIntent: { idpIntentId: "intent", idpIntentToken: "token" } } },
    Code.FailedPrecondition,
    "COMMAND-Sfw3r",
  ],
  ["S-101", { checks: { totp: { code: "123456" } } }, Code.InvalidArgument, "COMMAND-8N9ds"],
  ["S-146", { checks: { otpSms: { code: "12345678" } } }, Code.InvalidArgument, "COMMAND-S453v"],
  ["S-155", { checks: { otpEmail: { code: "12345678" } } }, Code.InvalidArgument, "COMMAND-S453v"],
  ["S-108", { checks: { recoveryCode: { code: "one-of-many" } } }, Code.InvalidArgument, "COMMAND-4m9s2"],
  [
    "S-007",
    {
      challenges: {
        webAuthN: {
          domain: "localhost",
          userVerificationRequirement: "USER_VERIFICATION_REQUIREMENT_REQUIRED",
        },
      },
    },
    Code.FailedPrecondition,
    "COMMAND-eeR2e",
  ],
  ["S-124", { challenges: { otpSms: { returnCode: true } } }, Code.FailedPrecondition, "COMMAND-JKL3g"],
  ["S-127", { challenges: { otpSms: {} } }, Code.FailedPrecondition, "COMMAND-JKL3g"],
  ["S-141", { challenges: { otpEmail: { returnCode: {} } } }, Code.FailedPrecondition, "COMMAND-JK3gp"],
];

describe.each(engines)("CreateSession on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
  });
  afterAll(() => house.close());

  const read = async (sessionId: string) => (await client.getSession({ sessionId })).session!;
  const createRefused = (request: Parameters<SessionClient["createSession"]>[0], who = cast.loginClient) =>
    refusalOf(house.as(who).createSession(request));
  const totalSessions = async () => (await house.as(cast.owner).listSessions({})).details!.totalResult;

  test("S-001: metadata alone makes a session, owned by the instance, changed just now", async () => {
    const before = Date.now();
    const { sessionId, sessionToken, details, challenges } = await client.createSession({
      metadata: { foo: bytes("bar") },
    });
    expect(sessionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(sessionToken.length).toBeLessThan(150);
    expect(details!.resourceOwner).toBe(cast.instanceId);
    expect(timestampMs(details!.changeDate!)).toBeGreaterThanOrEqual(before - 1);
    expect(timestampMs(details!.changeDate!)).toBeLessThanOrEqual(Date.now() + 1);
    expect(challenges).toBeUndefined();
    expect((await read(sessionId)).metadata).toEqual({ foo: bytes("bar") });
  });

  test("S-002: user check, metadata, user agent and lifetime are all there when read back", async () => {
    const { sessionId, details } = await client.createSession({
      checks: userCheck(cast.mia),
      metadata: { foo: bytes("bar") },
      userAgent: {
        fingerprintId: "fingerprint",
        ip: "1.2.3.4",
        description: "Browser",
        header: { "accept-language": { values: ["en", "de"] } },
      },
      lifetime: { seconds: 300n },
    });
    const session = await read(sessionId);
    expect(session.userAgent).toMatchObject({
      fingerprintId: "fingerprint",
      ip: "1.2.3.4",
      description: "Browser",
      header: { "accept-language": { values: ["en", "de"] } },
    });
    expect(session.metadata).toEqual({ foo: bytes("bar") });
    expect(session.factors!.user).toMatchObject({
      id: cast.mia.id,
      loginName: cast.mia.loginName,
      displayName: cast.mia.displayName,
      organizationId: cast.home.id,
    });
    expect(session.factors!.password).toBeUndefined();
    expect(timestampMs(session.expirationDate!)).toBe(timestampMs(details!.changeDate!) + 300_000);
  });

  test.each([
    ["negative", { seconds: -300n }],
    ["nothing", {}],
  ])("S-003, S-082: a lifetime that is %s is refused, and there is no session", async (_, lifetime) => {
    const before = await totalSessions();
    expect(await createRefused({ metadata: { foo: bytes("bar") }, lifetime })).toEqual({
      code: Code.InvalidArgument,
      message: "invalid CreateSessionRequest.Lifetime: value must be greater than 0s",
    });
    expect(await totalSessions()).toBe(before);
  });

  test.each(["inactive", "locked"] as const)(
    "S-004: a user who is %s cannot be checked, and the text is the bare key",
    async (who) => {
      const expected = {
        code: Code.FailedPrecondition,
        message: "Errors.User.NotActive (SESSION-Gj4ko)",
        id: "SESSION-Gj4ko",
        text: "Errors.User.NotActive",
      };
      expect(await createRefused({ checks: userCheck(cast[who]) })).toEqual(expected);
      expect(await createRefused({ checks: signIn(cast[who]) })).toEqual(expected);
    },
  );

  describe("without a user", () => {
    const send = (request: JsonObject, method: "CreateSession" | "SetSession" = "CreateSession") =>
      connectJson.send(
        { url: house.url, authorization: `Bearer ${cast.loginClient.token}` },
        method,
        request,
      );
    const answer = (code: Code, id: string) => ({
      code,
      message: `user id is missing (${id})`,
      details: [{ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", id, message: "user id is missing" }],
    });

    test.each(userless)(
      "%s: %j is refused on creation, and there is no session",
      async (_, request, code, id) => {
        const before = await totalSessions();
        expect(await send(request)).toMatchObject(answer(code, id));
        expect(await totalSessions()).toBe(before);
      },
    );

    test.each(userless)(
      "%s: %j is refused on a session, which stays as it is",
      async (_, request, code, id) => {
        const { sessionId, sessionToken } = await client.createSession({});
        const before = await read(sessionId);
        expect(await send({ sessionId, metadata: { a: "YQ==" }, ...request }, "SetSession")).toMatchObject(
          answer(code, id),
        );
        const { session } = await client.getSession({ sessionId, sessionToken });
        expect(session).toEqual(before);
      },
    );

    test("a passkey's answer is refused for want of a challenge", async () => {
      const webAuthN = { credentialAssertionData: { id: "x" } };
      expect(await send({ checks: { webAuthN } })).toMatchObject({
        code: Code.FailedPrecondition,
        details: [{ id: "COMMAND-Ioqu5" }],
      });
    });
  });

  test("a right password beside a refused challenge leaves no trace, neither in a session nor on the user", async () => {
    const { sessionId } = await client.createSession({});
    const before = await house.operate(countEvents);
    const request = { checks: signIn(cast.mia), challenges: { otpSms: { returnCode: true } } };
    const notReady = refused(Code.FailedPrecondition, "OTP is not ready", "COMMAND-BJ2g3");
    expect(await createRefused(request)).toEqual(notReady);
    expect(await refusalOf(client.setSession({ sessionId, ...request }))).toEqual(notReady);
    expect(await house.operate(countEvents)).toBe(before);
  });

  test("an empty request for challenges is answered with empty challenges", async () => {
    const { challenges } = await client.createSession({ challenges: {} });
    expect(challenges).toBeDefined();
    expect(challenges).toMatchObject({});
    expect(challenges!.otpSms).toBeUndefined();
  });

  describe("a wrong password", () => {
    const wrong = (failedAttempts: number): Refusal => ({
      ...refused(Code.InvalidArgument, "password is invalid", "COMMAND-3M0fs"),
      failedAttempts,
    });
    const locked = (failedAttempts: number): Refusal => ({
      ...refused(Code.FailedPrecondition, "user is locked", "COMMAND-JLK35"),
      failedAttempts,
    });

    test("S-009: two lock the user where the organization says so, and the third is not looked at", async () => {
      const attempt = () => createRefused({ checks: signIn(cast.lea, WRONG_PASSWORD) });
      expect(await attempt()).toEqual(wrong(1));
      expect(await attempt()).toEqual(wrong(2));
      // The user check comes first, and finds a user who is locked.
      expect(await attempt()).toMatchObject({ code: Code.FailedPrecondition, id: "SESSION-Gj4ko" });
      expect(await createRefused({ checks: signIn(cast.lea) })).toMatchObject({
        code: Code.FailedPrecondition,
        id: "SESSION-Gj4ko",
      });
    });

    test("a burst of them spends no more than the budget", async () => {
      const { sessionId } = await client.createSession({ checks: userCheck(cast.tim) });
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, () =>
          refusalOf(client.setSession({ sessionId, checks: { password: { password: WRONG_PASSWORD } } })),
        ),
      );
      const counted = outcomes.filter(({ code }) => code === Code.InvalidArgument);
      expect(counted.map(({ failedAttempts }) => failedAttempts).sort()).toEqual([1, 2]);
      for (const outcome of outcomes) {
        if (outcome.code === Code.InvalidArgument) continue;
        // Locked before the password was looked at, or the session over because its user is.
        expect([
          locked(2),
          refused(Code.FailedPrecondition, "session has ended", "COMMAND-Hewfq"),
        ]).toContainEqual(outcome);
      }
    });

    test("X-009: is counted, one by one, and a right one in between starts the count again", async () => {
      const attempt = (password: string) => client.createSession({ checks: signIn(cast.zoe, password) });
      expect(await refusalOf(attempt(WRONG_PASSWORD))).toEqual(wrong(1));
      expect(await refusalOf(attempt(WRONG_PASSWORD))).toEqual(wrong(2));
      await attempt(PASSWORD);
      expect(await refusalOf(attempt(WRONG_PASSWORD))).toEqual(wrong(1));
    });

    test("makes no session", async () => {
      const before = await totalSessions();
      await createRefused({ checks: signIn(cast.zoe, WRONG_PASSWORD), metadata: { a: bytes("a") } });
      expect(await totalSessions()).toBe(before);
    });
  });

  test.each([
    ["machine user", () => cast.nobody, "user could not be found", "COMMAND-3n77z"],
    ["user without a password", () => cast.passwordless, "user has no password", "COMMAND-3nJ4t"],
  ])("a %s can be checked, but no password of theirs", async (_, user, text, id) => {
    const { details } = await client.createSession({ checks: userCheck(user()) });
    expect(details!.sequence).toBe(3n);
    expect(await createRefused({ checks: signIn(user()) })).toEqual(
      refused(Code.FailedPrecondition, text, id),
    );
  });

  test("S-018: an empty request makes a session without factors, user agent and expiration", async () => {
    const { sessionId, sessionToken, details } = await client.createSession({});
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(session).toMatchObject({ id: sessionId, sequence: 2n, metadata: {} });
    expect(details!.sequence).toBe(2n);
    expect(session!.factors).toBeUndefined();
    expect(session!.userAgent).toBeUndefined();
    expect(session!.expirationDate).toBeUndefined();
  });

  describe("without permission", () => {
    const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");

    test.each([
      ["X-013: an organization's owner", "orgOwner"],
      ["an organization's member without the permission", "permissionEditor"],
      ["a viewer of the instance", "viewer"],
      ["a manager of users", "userManager"],
      ["S-081: nobody in particular", "nobody"],
    ] as const)("%s is refused, and nothing is stored", async (_, who) => {
      const before = await totalSessions();
      expect(await createRefused({ metadata: { a: bytes("a") } }, cast[who])).toEqual(denied);
      expect(await totalSessions()).toBe(before);
    });

    test("nobody learns whether a user exists, or is locked", async () => {
      for (const id of [cast.mia.id, cast.locked.id, "no-such-user"])
        expect(await createRefused({ checks: signIn({ id }) }, cast.nobody)).toEqual(denied);
      for (const value of [cast.mia.loginName, "no-such@acme.example"])
        expect(
          await createRefused({ checks: { user: { search: { case: "loginName", value } } } }, cast.nobody),
        ).toEqual(denied);
    });
  });

  test.each([
    ["as it is", (name: string) => name],
    ["in capitals", (name: string) => name.toUpperCase()],
    ["in small letters", (name: string) => name.toLowerCase()],
  ])("S-214: a user is found by the login name %s", async (_, spelled) => {
    const { sessionId } = await client.createSession({
      checks: { user: { search: { case: "loginName", value: spelled(cast.noah.loginName) } } },
    });
    expect((await read(sessionId)).factors!.user!.id).toBe(cast.noah.id);
  });

  test("a login name nobody has is not found", async () => {
    expect(
      await createRefused({ checks: { user: { search: { case: "loginName", value: "no-such" } } } }),
    ).toEqual(refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2"));
  });

  test.each([
    [
      "a user check without a user",
      { user: { search: { case: undefined } } },
      "CheckUser.Search: value is required",
    ],
    [
      "an empty user id",
      userCheck({ id: "" }),
      "CheckUser.UserId: value length must be between 1 and 200 runes, inclusive",
    ],
    [
      "an empty password",
      { ...signIn({ id: "x" }, "") },
      "CheckPassword.Password: value length must be between 1 and 200 runes, inclusive",
    ],
  ])("%s is refused by the name of its field", async (_, checks, text) => {
    const { code, message, id } = await createRefused({ checks });
    expect({ code, id }).toEqual({ code: Code.InvalidArgument, id: undefined });
    expect(message).toMatch(/^invalid CreateSessionRequest\.Checks: embedded message failed validation \|/);
    expect(message.endsWith(`invalid ${text}`)).toBe(true);
  });

  describe("counts one event for each thing that happened", () => {
    const user = () => userCheck(cast.mia);
    test.each<[string, () => Parameters<SessionClient["createSession"]>[0], bigint]>([
      ["S-212: nothing", () => ({}), 2n],
      ["a user", () => ({ checks: user() }), 3n],
      ["a user and a password", () => ({ checks: signIn(cast.mia) }), 4n],
      ["metadata", () => ({ metadata: { a: bytes("a"), b: bytes("b") } }), 3n],
      ["metadata that deletes what is not there", () => ({ metadata: { a: bytes("") } }), 2n],
      ["a lifetime", () => ({ lifetime: { seconds: 1n } }), 3n],
      [
        "everything",
        () => ({ checks: signIn(cast.mia), metadata: { a: bytes("a") }, lifetime: { seconds: 60n } }),
        6n,
      ],
      ["a user agent, which is part of the first", () => ({ userAgent: { fingerprintId: "f" } }), 2n],
    ])("%s", async (_, request, sequence) => {
      const { sessionId, details } = await client.createSession(request());
      const session = await read(sessionId);
      expect(details!.sequence).toBe(sequence);
      expect(session.sequence).toBe(sequence);
      expect(session.creationDate).toEqual(details!.changeDate);
      expect(session.changeDate).toEqual(details!.changeDate);
      expect(details!.creationDate).toEqual(details!.changeDate);
    });
  });

  test("says when each factor was proven", async () => {
    const before = Date.now();
    const { sessionId } = await client.createSession({ checks: signIn(cast.mia) });
    const { factors } = await read(sessionId);
    for (const factor of [factors!.user!, factors!.password!]) {
      expect(timestampMs(factor.verifiedAt!)).toBeGreaterThanOrEqual(before);
      expect(timestampMs(factor.verifiedAt!)).toBeLessThanOrEqual(Date.now());
    }
  });

  test("a metadata value of 64 KiB is taken, and of a byte more refused by the name of its field", async () => {
    const { sessionId } = await client.createSession({ metadata: { a: new Uint8Array(65_536).fill(7) } });
    expect((await read(sessionId)).metadata.a).toHaveLength(65_536);
    const { code, message } = await createRefused({ metadata: { a: new Uint8Array(65_537) } });
    expect(code).toBe(Code.InvalidArgument);
    expect(message).toMatch(/^invalid CreateSessionRequest\.Metadata\[a\]: /);
  });

  describe("a lifetime", () => {
    test.each([
      ["of an hour", durationFromMs(3_600_000), 3_600_000],
      ["of one and a half seconds", durationFromMs(1_500), 1_500],
      ["of a nanosecond is a millisecond", { nanos: 1 }, 1],
      ["of a hundred years", { seconds: 3_155_760_000n }, 3_155_760_000_000],
      // 2^63 ns, in whole milliseconds: what a signed 64-bit count of nanoseconds holds.
      ["of ten thousand years is cut to about 292", { seconds: 315_576_000_000n }, 9_223_372_036_855],
    ])("%s", async (_, lifetime, milliseconds) => {
      const { sessionId, details } = await client.createSession({ lifetime });
      const { expirationDate } = await read(sessionId);
      expect(timestampDate(expirationDate!)).toEqual(
        new Date(timestampMs(details!.changeDate!) + milliseconds),
      );
    });
  });

  describe("a user agent", () => {
    const userAgentOf = async (userAgent: Parameters<SessionClient["createSession"]>[0]["userAgent"]) => {
      const { sessionId } = await client.createSession(userAgent ? { userAgent } : {});
      return (await read(sessionId)).userAgent;
    };

    test("S-221: that was not sent is not there", async () => {
      expect(await userAgentOf(undefined)).toBeUndefined();
    });
    test("S-222: keeps the order of its header's values", async () => {
      const header = { accept: { values: ["c", "a", "b"] }, empty: { values: [] } };
      expect(await userAgentOf({ header })).toMatchObject({ header });
    });
    test("S-223: loses an address that is none, and keeps the rest", async () => {
      const read = await userAgentOf({ ip: "oops", description: "Browser" });
      expect(read).toMatchObject({ description: "Browser" });
      expect(read!.ip).toBeUndefined();
    });
    test.each([
      ["1.2.3.4", "1.2.3.4"],
      ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
      ["::ffff:1.2.3.4", "::ffff:102:304"],
    ])("has %s for address as %s", async (given, shown) => {
      expect((await userAgentOf({ ip: given }))!.ip).toBe(shown);
    });
    test("S-224: with nothing in it is not shown", async () => {
      expect(await userAgentOf({})).toBeUndefined();
    });
    test("of 64 headers is taken, and of 65 refused", async () => {
      const header = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, at) => [`header-${at}`, { values: ["x"] }]));
      expect(Object.keys((await userAgentOf({ header: header(64) }))!.header)).toHaveLength(64);
      expect(await createRefused({ userAgent: { header: header(65) } })).toMatchObject({
        code: Code.InvalidArgument,
        id: "GATE-Us3ra",
      });
    });
    test("with an empty fingerprint shows that it is empty", async () => {
      expect((await userAgentOf({ fingerprintId: "" }))!.fingerprintId).toBe("");
    });
  });

  test("X-016: an organization context that does not exist is refused on every method, by its own id", async () => {
    const headers = { "x-zitadel-orgid": "no-such-organization" };
    const owner = house.as(cast.owner);
    const { sessionId } = await client.createSession({});
    const unknown = refused(Code.PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds");
    expect(await refusalOf(owner.createSession({}, { headers }))).toEqual(unknown);
    expect(await refusalOf(owner.getSession({ sessionId }, { headers }))).toEqual(unknown);
    expect(await refusalOf(owner.listSessions({}, { headers }))).toEqual(unknown);
    expect(await refusalOf(owner.setSession({ sessionId }, { headers }))).toEqual(unknown);
    expect(await refusalOf(owner.deleteSession({ sessionId }, { headers }))).toEqual(unknown);
    await owner.getSession({ sessionId }, { headers: { "x-zitadel-orgid": cast.elsewhere.id } });
  });

  test("stores its events in the known order, and the user's own beside them", async () => {
    const { sessionId } = await client.createSession({
      lifetime: { seconds: 60n },
      metadata: { a: bytes("a") },
      checks: { password: { password: PASSWORD }, ...userCheck(cast.noah) },
    });
    const [session, user] = await house.operate(async (database) => [
      await streamOf(database, "session", sessionId),
      await streamOf(database, "user", cast.noah.id),
    ]);
    expect(session.map(({ type }) => type)).toEqual([
      "session.added",
      "session.user.checked",
      "session.password.checked",
      "session.metadata.set",
      "session.lifetime.set",
      "session.token.set",
    ]);
    expect(new Set(session.map(({ createdAt }) => createdAt.getTime())).size).toBe(1);
    expect(session.map(({ actorId }) => actorId)).toEqual(session.map(() => cast.loginClient.id));
    expect(user.at(-1)).toMatchObject({ type: "user.human.password.check.succeeded" });
  });

  test("S-080, S-084: a database that fails is an internal error, changes nothing, and says nothing of itself", async () => {
    const { sessionId } = await client.createSession({});
    await house.operate(({ db }) => sql`ALTER TABLE events RENAME TO events_gone`.execute(db));
    const refusals = [
      await refusalOf(client.createSession({})),
      await refusalOf(client.setSession({ sessionId, lifetime: { seconds: 60n } })),
      await refusalOf(client.deleteSession({ sessionId })),
    ];
    await house.operate(({ db }) => sql`ALTER TABLE events_gone RENAME TO events`.execute(db));
    for (const refusal of refusals) {
      expect(refusal).toEqual({
        code: Code.Internal,
        message: expect.stringMatching(/^internal error, request [0-9a-f-]{36}$/),
      });
    }
    const session = await read(sessionId);
    expect(session.sequence).toBe(2n);
    expect(session.expirationDate).toBeUndefined();
  });

  test("S-102, S-164: where users cannot be read no check passes and no challenge is made", async () => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.mia) });
    const before = await read(sessionId);
    await house.operate(({ db }) => sql`ALTER TABLE users RENAME TO users_gone`.execute(db));
    const domain = "localhost";
    const refusals = [
      await refusalOf(client.setSession({ sessionId, checks: { totp: { code: "123456" } } })),
      await refusalOf(client.setSession({ sessionId, checks: { password: { password: PASSWORD } } })),
      await refusalOf(
        client.setSession({
          sessionId,
          challenges: { webAuthN: { domain, userVerificationRequirement: 1 } },
        }),
      ),
    ];
    await house.operate(({ db }) => sql`ALTER TABLE users_gone RENAME TO users`.execute(db));
    for (const { code } of refusals) expect(code).toBe(Code.Internal);
    expect(await read(sessionId)).toEqual(before);
  });

  test("S-216: a challenge must say how much it wants to know of the user", async () => {
    const challenges = { webAuthN: { domain: "localhost", userVerificationRequirement: 0 } };
    expect((await createRefused({ challenges })).code).toBe(Code.InvalidArgument);
  });
});
