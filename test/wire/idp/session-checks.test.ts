import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { streamOf } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { refusal } from "../settings/wire.ts";
import { time } from "../users/wire.ts";
import { ada, grace, openWalkway, type Walkway } from "./walk.ts";

const notSucceeded = refused(Code.FailedPrecondition, "intent has not succeeded", "COMMAND-Df4bw");
const otherUser = refused(Code.FailedPrecondition, "intent belongs to another user", "COMMAND-O8xk3w");
const consumed = refused(Code.FailedPrecondition, "intent has not succeeded", "IDP-nme4gszsvx");

describe.each(engines)("intents as proof on %s", (engine) => {
  let now = new Date();
  let way: Walkway;
  /** Ada's account is linked to Mia, Grace's to Noah. */
  let idpId: string;
  beforeAll(async () => {
    way = await openWalkway(engine, { server: { clock: () => now } });
    idpId = await way.addOidc();
    await way.link(way.cast.mia.id, idpId, "ada");
    await way.link(way.cast.noah.id, idpId, "grace");
  });
  afterAll(() => way.close());

  const asLogin = (protocol: Protocol = "gRPC") => way.as(way.cast.loginClient, "session", protocol);
  const check = ({ id, token }: { id: string; token: string }) => ({
    idpIntent: { idpIntentId: id, idpIntentToken: token },
  });
  const create = async (checks: JsonObject = {}, protocol: Protocol = "gRPC") =>
    (await asLogin(protocol)("CreateSession", { checks })).sessionId as string;
  const userCheck = ({ id }: { id: string }) => ({ user: { userId: id } });
  const factorsOf = async (sessionId: string) => {
    const { session } = await asLogin()("GetSession", { sessionId });
    return (session as JsonObject).factors as JsonObject | undefined;
  };
  const read = ({ id, token }: { id: string; token: string }) =>
    way.as(way.cast.nobody, "user")("RetrieveIdentityProviderIntent", {
      idpIntentId: id,
      idpIntentToken: token,
    });

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("give a session with the user its intent factor (S-012)", async () => {
      const sessionId = await create(userCheck(way.cast.mia), protocol);
      const intent = await way.succeed(idpId);
      await asLogin(protocol)("SetSession", { sessionId, checks: check(intent) });
      expect(await factorsOf(sessionId)).toMatchObject({
        user: { id: way.cast.mia.id },
        intent: { verifiedAt: time },
      });
    });

    test("go together with the user check of a new session (S-013)", async () => {
      const intent = await way.succeed(idpId);
      const sessionId = await create({ ...userCheck(way.cast.mia), ...check(intent) }, protocol);
      expect(await factorsOf(sessionId)).toMatchObject({ user: {}, intent: { verifiedAt: time } });
    });

    test("work once: neither another session nor anybody else gets anything out of them", async () => {
      const intent = await way.succeed(idpId);
      await create({ ...userCheck(way.cast.mia), ...check(intent) }, protocol);
      const again = { ...userCheck(way.cast.mia), ...check(intent) };
      expect(await refusal(asLogin(protocol)("CreateSession", { checks: again }))).toEqual(notSucceeded);
      expect(await refusal(read(intent))).toEqual(consumed);
    });

    test("are refused for another user, and are not used up by that (S-095)", async () => {
      const intent = await way.succeed(idpId, grace);
      const sessionId = await create(userCheck(way.cast.mia), protocol);
      const refusedSet = asLogin(protocol)("SetSession", { sessionId, checks: check(intent) });
      expect(await refusal(refusedSet)).toEqual(otherUser);
      expect(await factorsOf(sessionId)).not.toHaveProperty("intent");
      await create({ ...userCheck(way.cast.noah), ...check(intent) }, protocol);
    });

    test("are refused without a user, before anything else", async () => {
      const sessionId = await create({}, protocol);
      const nonsense = check({ id: "nobody", token: "nonsense" });
      expect(await refusal(asLogin(protocol)("SetSession", { sessionId, checks: nonsense }))).toEqual(
        refused(Code.FailedPrecondition, "user id is missing", "COMMAND-Sfw3r"),
      );
    });

    test("are refused with a token that does not fit (S-015, S-096)", async () => {
      const [intent, other] = [await way.succeed(idpId), await way.succeed(idpId)];
      const sessionId = await create(userCheck(way.cast.mia), protocol);
      const set = (id: string, token: string) =>
        refusal(asLogin(protocol)("SetSession", { sessionId, checks: check({ id, token }) }));
      const invalid = (id: string) => refused(Code.PermissionDenied, "intent token is invalid", id);
      expect(await set(intent.id, other.token)).toEqual(invalid("CRYPTO-CRYPTO"));
      expect(await set(intent.id, "false")).toEqual(invalid("CRYPTO-Swg31"));
      expect(await set(intent.id, "ffff")).toEqual(invalid("CRYPTO-Sf4gt"));
      expect((await set("", intent.token)).code).toBe(Code.InvalidArgument);
      expect((await set(intent.id, "")).code).toBe(Code.InvalidArgument);
    });
  });

  test("expire after an hour (S-098)", async () => {
    const intent = await way.succeed(idpId);
    const checks = { ...userCheck(way.cast.mia), ...check(intent) };
    const before = now;
    try {
      now = new Date(before.getTime() + 3_601_000);
      expect(await refusal(asLogin()("CreateSession", { checks }))).toEqual(
        refused(Code.FailedPrecondition, "intent has expired", "COMMAND-SAf42"),
      );
      now = new Date(before.getTime() + 3_599_000);
      expect(await factorsOf(await create(checks))).toHaveProperty("intent");
    } finally {
      now = before;
    }
  });

  test("of an account linked only after the walk are as good (S-100)", async () => {
    const later = await way.addOidc();
    const intent = await way.succeed(later);
    expect(intent.user).toBeUndefined();
    const checks = { ...userCheck(way.cast.zoe), ...check(intent) };
    expect(await refusal(asLogin()("CreateSession", { checks }))).toEqual(otherUser);
    await way.link(way.cast.zoe.id, later, "ada");
    expect(await factorsOf(await create(checks))).toHaveProperty("intent");
  });

  test("of an account whose link was taken away meanwhile prove nothing", async () => {
    const gone = await way.addOidc();
    await way.link(way.cast.zoe.id, gone, "ada");
    const intent = await way.succeed(gone);
    expect(intent.user).toBe(way.cast.zoe.id);
    await way.as(way.cast.owner, "user")("RemoveIDPLink", {
      userId: way.cast.zoe.id,
      idpId: gone,
      linkedUserId: "ada",
    });
    const checks = { ...userCheck(way.cast.zoe), ...check(intent) };
    expect(await refusal(asLogin()("CreateSession", { checks }))).toEqual(otherUser);
    // Nor do they once it is somebody else's.
    await way.link(way.cast.noah.id, gone, "ada");
    for (const user of [way.cast.zoe, way.cast.noah]) {
      const again = { ...userCheck(user), ...check(intent) };
      expect(await refusal(asLogin()("CreateSession", { checks: again }))).toEqual(otherUser);
    }
  });

  test("of a provider that was removed meanwhile prove nothing", async () => {
    const removed = await way.addOidc();
    await way.link(way.cast.zoe.id, removed, "ada");
    const intent = await way.succeed(removed);
    await way.as(way.cast.owner, "admin")("DeleteProvider", { id: removed });
    const checks = { ...userCheck(way.cast.zoe), ...check(intent) };
    expect(await refusal(asLogin()("CreateSession", { checks }))).toEqual(notSucceeded);
  });

  test("are taken by exactly one of fifty who ask at once, of one session and of many", async () => {
    const [forOne, forMany] = [await way.succeed(idpId), await way.succeed(idpId)];
    const sessionId = await create(userCheck(way.cast.mia));
    const outcomes = await Promise.all([
      ...Array.from({ length: 50 }, () =>
        outcomeOf(asLogin()("SetSession", { sessionId, checks: check(forOne) })),
      ),
      ...Array.from({ length: 50 }, () =>
        outcomeOf(asLogin()("CreateSession", { checks: { ...userCheck(way.cast.mia), ...check(forMany) } })),
      ),
    ]);
    for (const half of [outcomes.slice(0, 50), outcomes.slice(50)]) {
      expect(half.filter((outcome) => outcome === "ok")).toHaveLength(1);
      expect(new Set(half)).toEqual(new Set(["ok", "COMMAND-Df4bw"]));
    }
  });

  test("are not used up by a request that is refused for something else", async () => {
    const intent = await way.succeed(idpId);
    const checks = { ...userCheck(way.cast.mia), ...check(intent) };
    const bad = asLogin()("CreateSession", { checks: { ...checks, totp: { code: "000000" } } });
    expect((await refusal(bad)).code).not.toBe(0);
    await create(checks);
  });

  test("of plain OAuth 2.0 are as good", async () => {
    const oauthId = await way.addOAuth();
    await way.link(way.cast.zoe.id, oauthId, "1815");
    const intent = await way.succeed(oauthId);
    expect(intent.user).toBe(way.cast.zoe.id);
    const sessionId = await create({ ...userCheck(way.cast.zoe), ...check(intent) });
    expect(await factorsOf(sessionId)).toMatchObject({ intent: { verifiedAt: time } });
  });

  test("make a session token a credential: it was proven who holds it", async () => {
    const intent = await way.succeed(idpId, ada);
    const { sessionToken } = await asLogin()("CreateSession", {
      checks: { ...userCheck(way.cast.mia), ...check(intent) },
    });
    const self = way.as({ token: sessionToken as string }, "user");
    expect(await self("GetUserByID", { userId: way.cast.mia.id })).toHaveProperty("user");
  });

  // Last: looking into the embedded database takes a restart of the server.
  test("are one append with the session's facts, in their order, and used up by it (S-099)", async () => {
    const intent = await way.succeed(idpId);
    const sessionId = await create();
    const checks = { ...userCheck(way.cast.mia), ...check(intent) };
    await asLogin()("SetSession", { sessionId, checks, metadata: { a: "YQ==" } });
    const [session, used] = await way.house.operate(async (database) => [
      await streamOf(database, "session", sessionId),
      await streamOf(database, "idpintent", intent.id),
    ]);
    expect(session!.slice(2).map(({ type }) => type)).toEqual([
      "session.user.checked",
      "session.intent.checked",
      "session.metadata.set",
      "session.token.set",
    ]);
    const [last, usedUp] = [session!.at(-1)!, used!.at(-1)!];
    expect(usedUp).toMatchObject({ type: "idpintent.consumed", createdAt: last.createdAt });
  });
});

const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    async (error: unknown) => (await refusal(Promise.reject(error))).id ?? String(error),
  );
