import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type Refusal, refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import {
  type Cast,
  type House,
  PASSWORD,
  signIn,
  startHouse,
  userCheck,
  WRONG_PASSWORD,
} from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking, type Call, details, idsOf, person, refusal, unauthenticated } from "./wire.ts";

const acts = ["LockUser", "UnlockUser", "DeactivateUser", "ReactivateUser"] as const;
type Act = (typeof acts)[number];

/** How a user gets into each state, and how it is shown. */
const states = {
  active: { by: [], shown: "USER_STATE_ACTIVE" },
  locked: { by: ["LockUser"], shown: "USER_STATE_LOCKED" },
  inactive: { by: ["DeactivateUser"], shown: "USER_STATE_INACTIVE" },
  "inactive after it was locked": { by: ["LockUser", "DeactivateUser"], shown: "USER_STATE_INACTIVE" },
} as const satisfies Record<string, { by: readonly Act[]; shown: string }>;
type State = keyof typeof states;

const failed = (text: string, id: string) => refused(Code.FailedPrecondition, text, id);
const missing = (id: string) => refused(Code.NotFound, "user could not be found", id);
const notToBeLocked = failed("user should be active or initial", "COMMAND-lgws8wtsqf");
const notLocked = failed("user is not locked", "COMMAND-olb9vb0oca");
const inactiveAlready = failed("user is already inactive", "COMMAND-5gunjw0cd7");
const notInactive = failed("user is not inactive", "COMMAND-s5qqcz97hf");

/** The state an act leads to, or its refusal. */
const transitions: [state: State, act: Act, outcome: State | Refusal][] = [
  ["active", "LockUser", "locked"],
  ["locked", "LockUser", notToBeLocked],
  ["inactive", "LockUser", notToBeLocked],
  ["inactive after it was locked", "LockUser", notToBeLocked],
  ["active", "UnlockUser", notLocked],
  ["locked", "UnlockUser", "active"],
  ["inactive", "UnlockUser", notLocked],
  ["inactive after it was locked", "UnlockUser", notLocked],
  ["active", "DeactivateUser", "inactive"],
  ["locked", "DeactivateUser", "inactive"],
  ["inactive", "DeactivateUser", inactiveAlready],
  ["inactive after it was locked", "DeactivateUser", inactiveAlready],
  ["active", "ReactivateUser", notInactive],
  ["locked", "ReactivateUser", notInactive],
  ["inactive", "ReactivateUser", "active"],
  ["inactive after it was locked", "ReactivateUser", "active"],
];

const notThere: Record<Act, Refusal> = {
  LockUser: missing("COMMAND-450yxuqrh1"),
  UnlockUser: missing("COMMAND-x377t913pw"),
  DeactivateUser: missing("COMMAND-5gp2p62iin"),
  ReactivateUser: missing("COMMAND-9hy5kzbuk6"),
};

const endedSession = { code: Code.NotFound, id: "QUERY-SFeaa" };

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("the state of a user on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  let users = 0;
  const newBot = async () => {
    users += 1;
    const request = { organizationId: cast.elsewhere.id, machine: { name: "Bot" } };
    return (await ask("CreateUser", { ...request, userId: `bot-${users}` })).id as string;
  };
  const newPerson = async (organizationId = cast.home.id) => {
    users += 1;
    const human = person(`person-${users}`, { hashedPassword });
    return (await ask("CreateUser", { organizationId, userId: `person-${users}`, human })).id as string;
  };
  const newSession = (id: string, password?: string) =>
    house.as(cast.loginClient).createSession({ checks: signIn({ id }, password) });
  const read = async (userId: string) => (await ask("GetUserByID", { userId })).user as JsonObject;
  const wrongPassword = (id: string) => refusalOf(newSession(id, WRONG_PASSWORD));

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test.each(transitions)("%s, %s: %j", async (state, act, outcome) => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      for (const earlier of states[state].by) await call(earlier, { userId });
      const before = await read(userId);
      expect(before.state).toBe(states[state].shown);
      if (typeof outcome === "string") {
        const sequence = states[state].by.length + 2;
        expect(await call(act, { userId })).toEqual({ details: details(sequence, cast.elsewhere.id) });
        expect((await read(userId)).state).toBe(states[outcome].shown);
      } else {
        expect(await refusal(call(act, { userId }))).toEqual(outcome);
        expect(await read(userId)).toEqual(before);
      }
    });

    test.each(acts)("%s finds neither a user who never was nor one who was removed", async (act) => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      await call("DeleteUser", { userId });
      expect(await refusal(call(act, { userId }))).toEqual(notThere[act]);
      expect(await refusal(call(act, { userId: "nobody-of-that-id" }))).toEqual(notThere[act]);
    });
  });

  describe.each([
    ["LockUser", "UnlockUser"],
    ["DeactivateUser", "ReactivateUser"],
    ["DeleteUser", undefined],
  ] as const)("%s", (act, wayBack) => {
    test(`ends every session for good${wayBack ? `, also after ${wayBack}` : ""}`, async () => {
      const userId = await newPerson();
      const sessions = [await newSession(userId), await newSession(userId)];
      const untouched = await newSession(await newPerson());
      const owner = house.as(cast.owner);
      const self = asking(house, { token: sessions[0]!.sessionToken });
      const listed = async () =>
        (await owner.listSessions({ queries: [{ query: { case: "userIdQuery", value: { id: userId } } }] }))
          .details!.totalResult;
      expect(idsOf((await self("ListUsers")).result, "userId")).toEqual([userId]);
      expect(await listed()).toBe(2n);

      const expectEnded = async () => {
        expect(await listed()).toBe(0n);
        for (const { sessionId: id, sessionToken: token } of sessions) {
          expect(await refusalOf(owner.getSession({ sessionId: id }))).toMatchObject(endedSession);
          expect(await refusalOf(owner.getSession({ sessionId: id, sessionToken: token }))).toMatchObject(
            endedSession,
          );
          const set = house
            .as(cast.loginClient)
            .setSession({ sessionId: id, checks: signIn({ id: userId }) });
          expect(await refusalOf(set)).toMatchObject({
            code: Code.FailedPrecondition,
            id: "COMMAND-Hewfq",
          });
        }
        expect(await refusal(self("ListUsers"))).toMatchObject(endedSession);
        expect(await refusal(self("GetUserByID", { userId }))).toMatchObject(endedSession);
      };
      await ask(act, { userId });
      await expectEnded();
      if (wayBack) {
        await ask(wayBack, { userId });
        await expectEnded();
        const again = await newSession(userId);
        expect((await owner.getSession({ sessionId: again.sessionId })).session!.id).toBe(again.sessionId);
        expect(await listed()).toBe(1n);
      }
      expect((await owner.getSession({ sessionId: untouched.sessionId })).session!.id).toBe(
        untouched.sessionId,
      );
    });

    test("shuts the user out: no user check, no password check, no login by name", async () => {
      const userId = await newPerson();
      const { username } = (await read(userId)) as { username: string };
      await ask(act, { userId });
      const expected: Refusal = wayBack
        ? failed("Errors.User.NotActive", "SESSION-Gj4ko")
        : refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2");
      const client = house.as(cast.loginClient);
      const byName = { user: { search: { case: "loginName" as const, value: username } } };
      expect(await refusalOf(client.createSession({ checks: userCheck({ id: userId }) }))).toEqual(expected);
      expect(await refusalOf(client.createSession({ checks: signIn({ id: userId }) }))).toEqual(expected);
      expect(await refusalOf(client.createSession({ checks: byName }))).toEqual(expected);
      const { sessionId } = await client.createSession({});
      expect(await refusalOf(client.setSession({ sessionId, checks: signIn({ id: userId }) }))).toEqual(
        expected,
      );
      if (wayBack) {
        await ask(wayBack, { userId });
        await client.setSession({ sessionId, checks: signIn({ id: userId }) });
      }
    });

    test(`makes the user's tokens worthless at once${wayBack ? `, until ${wayBack}` : ""}`, async () => {
      const userId = await newBot();
      const expirationDate = "2100-01-01T00:00:00Z";
      const tokens = [
        await ask("AddPersonalAccessToken", { userId, expirationDate }),
        await ask("AddPersonalAccessToken", { userId, expirationDate }),
      ].map(({ token }) => asking(house, { token: token as string }));
      const expectGood = async () => {
        for (const call of tokens)
          expect(idsOf((await call("ListUsers")).result, "userId")).toEqual([userId]);
      };
      await expectGood();
      await ask(act, { userId });
      for (const call of tokens) expect(await refusal(call("ListUsers"))).toEqual(unauthenticated);
      if (wayBack) {
        await ask(wayBack, { userId });
        await expectGood();
      }
    });
  });

  describe("failed attempts", () => {
    test("are forgotten by unlocking", async () => {
      const userId = await newPerson(cast.strict.id);
      expect(await wrongPassword(userId)).toMatchObject({ failedAttempts: 1 });
      await ask("LockUser", { userId });
      await ask("UnlockUser", { userId });
      expect(await wrongPassword(userId)).toMatchObject({ id: "COMMAND-3M0fs", failedAttempts: 1 });
      expect((await read(userId)).state).toBe("USER_STATE_ACTIVE");
    });

    test("are not forgotten by deactivating and reactivating", async () => {
      const userId = await newPerson(cast.strict.id);
      expect(await wrongPassword(userId)).toMatchObject({ failedAttempts: 1 });
      await ask("DeactivateUser", { userId });
      await ask("ReactivateUser", { userId });
      expect(await wrongPassword(userId)).toMatchObject({ failedAttempts: 2 });
      expect((await read(userId)).state).toBe("USER_STATE_LOCKED");
    });

    test("that lock end the sessions as LockUser does, and unlocking lets the user in again", async () => {
      const userId = await newPerson(cast.strict.id);
      const { sessionId, sessionToken } = await newSession(userId);
      await wrongPassword(userId);
      expect((await read(userId)).state).toBe("USER_STATE_ACTIVE");
      expect(await wrongPassword(userId)).toMatchObject({ failedAttempts: 2 });
      expect((await read(userId)).state).toBe("USER_STATE_LOCKED");
      expect(await refusalOf(house.as(cast.owner).getSession({ sessionId }))).toMatchObject(endedSession);
      expect(await refusal(asking(house, { token: sessionToken })("ListUsers"))).toMatchObject(endedSession);
      await ask("UnlockUser", { userId });
      await newSession(userId);
      expect(await refusalOf(house.as(cast.owner).getSession({ sessionId }))).toMatchObject(endedSession);
    });
  });

  test("two who lock a user at once: one does, the other is told", async () => {
    const userId = await newBot();
    const calls = [ask("LockUser", { userId }), ask("LockUser", { userId })];
    const outcomes = await Promise.all(
      calls.map((call) => call.then(() => "locked" as const).catch(() => refusal(call))),
    );
    expect(outcomes).toContainEqual("locked");
    expect(outcomes).toContainEqual(notToBeLocked);
  });
});
