import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Refusal, refusalOf, refused, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  appendToUser,
  type Cast,
  expiredSession,
  type House,
  PASSWORD,
  signIn,
  startHouse,
  streamOf,
  userCheck,
  userRow,
  WRONG_PASSWORD,
} from "../support/fixtures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = (metadata: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, new TextDecoder().decode(value)]));
const values = (entries: Record<string, string>) =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, bytes(value)]));

const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
const staleToken = refused(Code.PermissionDenied, "permission denied", "QUERY-dsfr3");
const hasEnded = refused(Code.FailedPrecondition, "session has ended", "COMMAND-Hewfq");
const unknown = refused(Code.NotFound, "session does not exist", "QUERY-SFeaa");

describe.each(engines)("SetSession on %s", (engine) => {
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

  test("S-019, S-026: a user check adds the user, rotates the token, and leaves the creation date alone", async () => {
    const created = await client.createSession({});
    const { sessionId } = created;
    const { details, sessionToken, challenges } = await client.setSession({
      sessionId,
      checks: userCheck(cast.mia),
    });
    expect(challenges).toBeUndefined();
    expect(details).toMatchObject({ sequence: 4n, resourceOwner: cast.instanceId });
    expect(details!.creationDate).toEqual(created.details!.changeDate);
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(session!.factors!.user!.id).toBe(cast.mia.id);
    expect(session!.creationDate).toEqual(created.details!.changeDate);
    expect(session!.changeDate).toEqual(details!.changeDate);
    expect(session!.sequence).toBe(4n);
  });

  describe("on a session that ran out", () => {
    test("S-036: is refused, also to prolong it", async () => {
      const { id } = await expiredSession(client);
      expect(await refusalOf(client.setSession({ sessionId: id, lifetime: { seconds: 20n } }))).toEqual(
        refused(Code.FailedPrecondition, "session has expired", "COMMAND-Hkl3d"),
      );
    });
    test("is refused even if there is nothing to do", async () => {
      const { id } = await expiredSession(client);
      expect(await refusalOf(client.setSession({ sessionId: id }))).toMatchObject({ id: "COMMAND-Hkl3d" });
    });
  });

  describe("S-085: without permission", () => {
    test.each([
      "viewer",
      "userManager",
      "orgOwner",
      "orgUserManager",
      "permissionEditor",
      "otherOrgOwner",
      "nobody",
    ] as const)("a caller like %s changes nothing", async (who) => {
      const { sessionId, sessionToken } = await client.createSession({ checks: userCheck(cast.mia) });
      const before = await read(sessionId);
      expect(
        await refusalOf(
          house.as(cast[who]).setSession({ sessionId, sessionToken, metadata: values({ a: "a" }) }),
        ),
      ).toEqual(denied);
      expect((await client.getSession({ sessionId, sessionToken })).session).toEqual(before);
    });

    test("X-014: the owner of the session user's organization is refused", async () => {
      const { sessionId } = await client.createSession({ checks: signIn(cast.mia) });
      expect(
        await refusalOf(house.as(cast.orgOwner).setSession({ sessionId, metadata: values({ a: "a" }) })),
      ).toEqual(denied);
    });
  });

  test("S-086, S-089, X-004: nothing to do is done: the last details, no token, and the old one stays valid", async () => {
    const { sessionId, sessionToken, details } = await client.createSession({ checks: userCheck(cast.mia) });
    const answer = await client.setSession({ sessionId, challenges: {} });
    expect(answer.details).toEqual(details);
    expect(answer.sessionToken).toBe("");
    expect(answer.challenges).toBeDefined();
    expect((await client.getSession({ sessionId, sessionToken })).session!.sequence).toBe(3n);
  });

  test("S-087: a session that was ended is refused", async () => {
    const { sessionId } = await client.createSession({});
    await client.deleteSession({ sessionId });
    expect(await refusalOf(client.setSession({ sessionId, lifetime: { seconds: 1n } }))).toEqual(hasEnded);
    expect(await refusalOf(client.setSession({ sessionId }))).toEqual(hasEnded);
  });

  test("S-088: a check that cannot succeed stores nothing of the request", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const refusal = await refusalOf(
      client.setSession({
        sessionId,
        checks: { password: { password: PASSWORD } },
        metadata: values({ a: "a" }),
        lifetime: { seconds: 1n },
      }),
    );
    expect(refusal).toEqual(refused(Code.FailedPrecondition, "user id is missing", "COMMAND-Sfw3f"));
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(session).toMatchObject({ sequence: 2n, metadata: {} });
    expect(session!.expirationDate).toBeUndefined();
  });

  test("S-090: a negative lifetime is refused by the name of its field", async () => {
    const { sessionId } = await client.createSession({});
    expect(await refusalOf(client.setSession({ sessionId, lifetime: { seconds: -600n } }))).toEqual({
      code: Code.InvalidArgument,
      message: "invalid SetSessionRequest.Lifetime: value must be greater than 0s",
    });
  });

  test("S-091: a lifetime is two events, and a new token", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const changed = await client.setSession({ sessionId, lifetime: { seconds: 600n } });
    expect(changed.details!.sequence).toBe(4n);
    expect(changed.sessionToken).not.toBe(sessionToken);
    expect(timestampMs((await read(sessionId)).expirationDate!)).toBe(
      timestampMs(changed.details!.changeDate!) + 600_000,
    );
  });

  test("X-012: a later lifetime counts from now, be it shorter or longer", async () => {
    const { sessionId } = await client.createSession({ lifetime: { seconds: 3_600n } });
    for (const seconds of [60, 7_200]) {
      const { details } = await client.setSession({ sessionId, lifetime: { seconds: BigInt(seconds) } });
      expect(timestampMs((await read(sessionId)).expirationDate!)).toBe(
        timestampMs(details!.changeDate!) + seconds * 1_000,
      );
    }
  });

  test("S-093: user, password and metadata are four events of the session and one of the user", async () => {
    const { sessionId } = await client.createSession({});
    const { details, sessionToken } = await client.setSession({
      sessionId,
      metadata: values({ a: "a" }),
      checks: signIn(cast.noah),
    });
    expect(details!.sequence).toBe(6n);
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(texts(session!.metadata)).toEqual({ a: "a" });
    expect(session!.factors!.password!.verifiedAt).toBeDefined();
    const [events, user] = await house.operate(async (database) => [
      await streamOf(database, "session", sessionId),
      await streamOf(database, "user", cast.noah.id),
    ]);
    expect(events.slice(2).map(({ type }) => type)).toEqual([
      "session.user.checked",
      "session.password.checked",
      "session.metadata.set",
      "session.token.set",
    ]);
    expect(user.map(({ type }) => type)).toEqual(["user.human.added", "user.human.password.check.succeeded"]);
  });

  describe("metadata", () => {
    test.each<
      [
        stored: Record<string, string>,
        request: Record<string, string>,
        result: Record<string, string>,
        isChange: boolean,
        scenario: string,
      ]
    >([
      [{}, { a: "1" }, { a: "1" }, true, "a first key"],
      [{ a: "1" }, { b: "2" }, { a: "1", b: "2" }, true, "X-001"],
      [{ a: "1", b: "2" }, { a: "" }, { b: "2" }, true, "X-002"],
      [{ a: "1" }, { a: "1" }, { a: "1" }, false, "X-003"],
      [{ a: "1" }, { a: "2" }, { a: "2" }, true, "another value"],
      [{ a: "1" }, { a: "" }, {}, true, "the last key"],
      [{ a: "1" }, { c: "" }, { a: "1" }, false, "a key that is not there"],
      [{ a: "1", c: "3" }, { a: "", b: "2", c: "3" }, { b: "2", c: "3" }, true, "all at once"],
      [{}, {}, {}, false, "nothing"],
      [{ __proto__x: "1" }, { constructor: "2" }, { __proto__x: "1", constructor: "2" }, true, "odd keys"],
    ])("%j and %j become %j (an event: %s; %s)", async (stored, request, result, isChange) => {
      const created = await client.createSession({ metadata: values(stored) });
      const { sessionId } = created;
      const changed = await client.setSession({ sessionId, metadata: values(request) });
      expect(changed.details!.sequence).toBe(created.details!.sequence + (isChange ? 2n : 0n));
      expect(changed.sessionToken === "").toBe(!isChange);
      const valid = isChange ? changed.sessionToken : created.sessionToken;
      const { session } = await client.getSession({ sessionId, sessionToken: valid });
      expect(texts(session!.metadata)).toEqual(result);
    });

    test("holds 64 keys in all, and the 65th is refused", async () => {
      const keys = (from: number, to: number) =>
        values(Object.fromEntries(Array.from({ length: to - from }, (_, at) => [`key${from + at}`, "x"])));
      const { sessionId } = await client.createSession({ metadata: keys(0, 40) });
      await client.setSession({ sessionId, metadata: keys(40, 64) });
      expect(await refusalOf(client.setSession({ sessionId, metadata: keys(64, 65) }))).toMatchObject({
        code: Code.InvalidArgument,
        id: "GATE-Met4d",
      });
      expect(Object.keys((await read(sessionId)).metadata)).toHaveLength(64);
    });

    test("keeps bytes that are no text", async () => {
      const raw = Uint8Array.from({ length: 256 }, (_, at) => at);
      const { sessionId } = await client.createSession({});
      await client.setSession({ sessionId, metadata: { raw } });
      expect(new Uint8Array((await read(sessionId)).metadata.raw!)).toEqual(raw);
    });
  });

  test("X-005: an id that never was is not found by those who may change any session", async () => {
    for (const sessionId of ["no-such-session", "01a204ba-4d08-7378-bdf8-5ed1c87af579", "🏰"]) {
      expect(await refusalOf(client.setSession({ sessionId, lifetime: { seconds: 3_600n } }))).toEqual(
        unknown,
      );
      expect(await refusalOf(client.setSession({ sessionId }))).toEqual(unknown);
    }
  });

  test("X-006: only the newest token is valid", async () => {
    const first = await client.createSession({});
    const { sessionId } = first;
    const second = await client.setSession({ sessionId, metadata: values({ a: "a" }) });
    const nobody = house.as(cast.nobody);
    expect(await refusalOf(nobody.getSession({ sessionId, sessionToken: first.sessionToken }))).toMatchObject(
      {
        code: Code.PermissionDenied,
      },
    );
    expect(await refusalOf(client.getSession({ sessionId, sessionToken: first.sessionToken }))).toEqual(
      staleToken,
    );
    expect(
      (await nobody.getSession({ sessionId, sessionToken: second.sessionToken })).session!.sequence,
    ).toBe(4n);
  });

  test("X-007: the user of a session cannot be another one, whoever asks for it", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: userCheck(cast.mia) });
    const refusal: Refusal = {
      code: Code.InvalidArgument,
      message: "user change not possible ()",
      id: "",
      text: "user change not possible",
    };
    expect(await refusalOf(client.setSession({ sessionId, checks: userCheck(cast.noah) }))).toEqual(refusal);
    expect(await refusalOf(client.setSession({ sessionId, checks: signIn(cast.noah) }))).toEqual(refusal);
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(session!.factors!.user!.id).toBe(cast.mia.id);
    expect(session!.sequence).toBe(3n);
  });

  test("the same user may be checked again: only the time moves on", async () => {
    const { sessionId } = await client.createSession({ checks: userCheck(cast.mia) });
    const before = await read(sessionId);
    const { details } = await client.setSession({ sessionId, checks: userCheck(cast.mia) });
    expect(details!.sequence).toBe(5n);
    const after = await read(sessionId);
    expect(after.factors!.user!.id).toBe(cast.mia.id);
    expect(timestampMs(after.factors!.user!.verifiedAt!)).toBeGreaterThanOrEqual(
      timestampMs(before.factors!.user!.verifiedAt!),
    );
  });

  test("X-008, X-009: a wrong password is counted on the user, and nothing of the session is stored", async () => {
    const { sessionId, sessionToken } = await client.createSession({ checks: userCheck(cast.zoe) });
    const attempt = () =>
      refusalOf(
        client.setSession({
          sessionId,
          checks: { password: { password: WRONG_PASSWORD } },
          metadata: values({ a: "a" }),
          lifetime: { seconds: 60n },
        }),
      );
    for (const failedAttempts of [1, 2]) {
      expect(await attempt()).toEqual({
        ...refused(Code.InvalidArgument, "password is invalid", "COMMAND-3M0fs"),
        failedAttempts,
      });
    }
    const { session } = await client.getSession({ sessionId, sessionToken });
    expect(session).toMatchObject({ sequence: 3n, metadata: {} });
    expect(session!.expirationDate).toBeUndefined();
    expect(session!.factors!.password).toBeUndefined();
  });

  test("a token that is wrong is ignored, as the contract has it", async () => {
    const { sessionId } = await client.createSession({});
    const { details } = await client.setSession({
      sessionId,
      sessionToken: "x".repeat(100_000),
      metadata: values({ a: "a" }),
    });
    expect(details!.sequence).toBe(4n);
  });

  test("twelve at once all take effect, and the token of the last of them is the valid one", async () => {
    const { sessionId } = await client.createSession({});
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        client.setSession({ sessionId, metadata: values({ [`key${at}`]: String(at) }) }),
      ),
    );
    const sequences = answers.map(({ details }) => Number(details!.sequence)).sort((a, b) => a - b);
    expect(sequences).toEqual(Array.from({ length: 12 }, (_, at) => 4 + 2 * at));
    expect(Object.keys((await read(sessionId)).metadata)).toHaveLength(12);
    for (const { details, sessionToken } of answers) {
      const call = client.getSession({ sessionId, sessionToken });
      if (details!.sequence === 26n) expect((await call).session!.sequence).toBe(26n);
      else expect(await refusalOf(call)).toEqual(staleToken);
    }
  });

  test("a password hash from elsewhere becomes one of today's at the first right password, and at no wrong one", async () => {
    const kinds = ["bcrypt", "scrypt", "pbkdf2", "argon2id"] as const;
    const rows = () =>
      house.operate(async (database) => {
        const found: Record<string, { hash: string; updates: number }> = {};
        for (const kind of kinds) {
          const user = cast.imported[kind];
          const events = await streamOf(database, "user", user.id);
          found[kind] = {
            hash: (await userRow(database, user)).passwordHash!,
            updates: events.filter(({ type }) => type === "user.human.password.hash.updated").length,
          };
        }
        return found;
      });
    const before = await rows();
    expect(before.bcrypt!.hash).toMatch(/^\$2[aby]\$04\$/);

    for (const kind of kinds) {
      const { sessionId } = await client.createSession({ checks: userCheck(cast.imported[kind]) });
      const check = (password: string) =>
        client.setSession({ sessionId, checks: { password: { password } } });
      expect((await refusalOf(check(WRONG_PASSWORD))).failedAttempts).toBe(1);
      await check(PASSWORD);
      // Against the new hash now, and the factor of the first check is not lost by it.
      expect((await read(sessionId)).factors!.password).toBeDefined();
      expect((await refusalOf(check(WRONG_PASSWORD))).failedAttempts).toBe(1);
      await check(PASSWORD);
    }
    const after = await rows();
    for (const kind of kinds) {
      const isOld = kind !== "argon2id";
      expect(after[kind]!.hash, kind).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      expect(after[kind]!.hash === before[kind]!.hash, kind).toBe(!isOld);
      expect(after[kind]!.updates, kind).toBe(isOld ? 1 : 0);
    }
  });

  describe("when the operator changes the user", () => {
    type Signed = { sessionId: string; sessionToken: string };
    let changed: Signed;
    let inactive: Signed;
    let locked: Signed;
    let back: Signed;
    let removed: Signed;
    beforeAll(async () => {
      const session = async (user: { id: string }) => {
        const { sessionId, sessionToken } = await client.createSession({ checks: signIn(user) });
        return { sessionId, sessionToken };
      };
      changed = await session(cast.mia);
      inactive = await session(cast.otto);
      locked = await session(cast.lea);
      back = await session(cast.tim);
      removed = await session(cast.imported.argon2id);
      await house.operate(async (database) => {
        const { passwordHash } = await userRow(database, cast.noah);
        await appendToUser(database, cast.mia, {
          type: "user.human.password.changed",
          payload: { encodedHash: passwordHash!, changeRequired: false },
        });
        await appendToUser(database, cast.otto, { type: "user.deactivated", payload: {} });
        await appendToUser(database, cast.lea, { type: "user.locked", payload: {} });
        await appendToUser(
          database,
          cast.tim,
          { type: "user.locked", payload: {} },
          { type: "user.unlocked", payload: {} },
        );
        await appendToUser(database, cast.imported.argon2id, { type: "user.removed", payload: {} });
      });
    });

    test("X-010: a new password takes the password factor, and leaves user and session", async () => {
      const { session } = await client.getSession(changed);
      expect(session!.factors!.user!.id).toBe(cast.mia.id);
      expect(session!.factors!.password).toBeUndefined();
      expect(session!.sequence).toBe(4n);
      await client.setSession({ ...changed, checks: { password: { password: PASSWORD } } });
      expect((await read(changed.sessionId)).factors!.password).toBeDefined();
    });

    test.each([
      ["X-011: deactivated", () => inactive],
      ["locked", () => locked],
      ["locked and unlocked again", () => back],
      ["removed", () => removed],
    ])("the session of a user who was %s is gone for reads and dead for writes", async (_, sessionOf) => {
      const { sessionId, sessionToken } = sessionOf();
      expect(await refusalOf(client.getSession({ sessionId }))).toEqual(unknown);
      expect(await refusalOf(client.getSession({ sessionId, sessionToken }))).toEqual(unknown);
      const listed = await client.listSessions({
        queries: [{ query: { case: "idsQuery", value: { ids: [sessionId] } } }],
      });
      expect(listed.sessions).toEqual([]);
      expect(listed.details!.totalResult).toBe(0n);
      expect(await refusalOf(client.setSession({ sessionId, metadata: values({ a: "a" }) }))).toEqual(
        hasEnded,
      );
      expect(await refusalOf(client.setSession({ sessionId }))).toEqual(hasEnded);
      expect(await refusalOf(house.as({ token: sessionToken }).listSessions({}))).toEqual(unknown);
      expect(
        await refusalOf(client.setSession({ sessionId, checks: { password: { password: PASSWORD } } })),
      ).toEqual(hasEnded);
    });

    test("a user who was unlocked starts anew", async () => {
      const { sessionId } = await client.createSession({ checks: signIn(cast.tim) });
      expect((await read(sessionId)).factors!.password).toBeDefined();
    });
  });
});

describe("SetSession where the operator demands the token as proof", () => {
  let house: House;
  let client: SessionClient;
  beforeAll(async () => {
    house = await startHouse("postgres", { config: { setSessionProof: "token" } });
    client = house.as(house.cast.loginClient);
  });
  afterAll(() => house.close());

  const proofless = refused(
    Code.PermissionDenied,
    "the session's current token is required",
    "COMMAND-sGr42",
  );

  test("takes the current token, and no permission makes up for it", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const other = await client.createSession({});
    const metadata = values({ a: "a" });
    for (const wrong of ["", "x", other.sessionToken])
      expect(await refusalOf(client.setSession({ sessionId, sessionToken: wrong, metadata }))).toEqual(
        proofless,
      );
    const { sessionToken: next } = await client.setSession({ sessionId, sessionToken, metadata });
    expect(await refusalOf(client.setSession({ sessionId, sessionToken, metadata }))).toEqual(proofless);
    await client.setSession({ sessionId, sessionToken: next, lifetime: { seconds: 60n } });
  });

  test("does not let the token make up for the permission", async () => {
    const { sessionId, sessionToken } = await client.createSession({});
    const call = house
      .as(house.cast.nobody)
      .setSession({ sessionId, sessionToken, metadata: values({ a: "a" }) });
    expect(await refusalOf(call)).toEqual(denied);
  });
});
