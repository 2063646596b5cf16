import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type Refusal, refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import {
  type Cast,
  changeSessionSettings,
  type House,
  PASSWORD,
  signIn,
  startHouse,
  WRONG_PASSWORD,
} from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { asking, type Call, details, permissionDenied, person, refusal } from "./wire.ts";

const FRESH = "Battery-Staple-2";

const failed = (text: string, id: string) => refused(Code.FailedPrecondition, text, id);
const userNotFound = failed("user could not be found", "COMMAND-G8dh3");
const codeMissing = failed("there is no open code", "COMMAND-2M9fs");
const unchanged = failed("new password equals the old one", "COMMAND-Aesh5");
const wrong = (failedAttempts: number): Refusal => ({
  ...refused(Code.InvalidArgument, "password is invalid", "COMMAND-3M0fs"),
  failedAttempts,
});
const locked = (failedAttempts: number): Refusal => ({
  ...failed("user is locked", "COMMAND-JLK35"),
  failedAttempts,
});

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("SetPassword on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  let people = 0;
  const newPerson = async (organizationId = cast.home.id, human: JsonObject = { hashedPassword }) => {
    people += 1;
    const name = `person-${people}`;
    await ask("CreateUser", { organizationId, userId: name, human: person(name, human) });
    return name;
  };
  const newSession = (id: string, password?: string) =>
    house.as(cast.loginClient).createSession({ checks: signIn({ id }, password) });
  /** As the user, whose session token it takes. */
  const asUser = async (id: string, protocol?: Protocol) =>
    asking(house, { token: (await newSession(id)).sessionToken }, protocol);
  const state = async (userId: string) => ((await ask("GetUserByID", { userId })).user as JsonObject).state;
  const set = (call: Call, userId: string, more: JsonObject = {}, password = FRESH) =>
    call("SetPassword", { userId, newPassword: { password }, ...more });
  const expectPassword = async (userId: string, good: string, bad: string) => {
    await newSession(userId, good);
    expect(await refusalOf(newSession(userId, bad))).toMatchObject({ id: "COMMAND-3M0fs" });
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("with the current password: the user does it", async () => {
      const userId = await newPerson();
      const user = await asUser(userId, protocol);
      // Added, address verified, one password check of the user's own, a new one, and the end of other sessions.
      expect(await set(user, userId, { currentPassword: PASSWORD })).toEqual({
        details: details(5, cast.home.id),
      });
      await expectPassword(userId, FRESH, PASSWORD);
    });

    test("with nothing but the permission: an administrator does it, for those without a password too", async () => {
      const owner = asking(house, cast.owner, protocol);
      const [userId, passwordless] = [await newPerson(), await newPerson(cast.home.id, {})];
      expect(await set(owner, userId)).toEqual({ details: details(4, cast.home.id) });
      await expectPassword(userId, FRESH, PASSWORD);
      await set(owner, passwordless);
      await newSession(passwordless, FRESH);
    });

    test("with a code: there is none open, and nothing changes", async () => {
      const userId = await newPerson();
      for (const who of [cast.owner, cast.nobody]) {
        const call = set(asking(house, who, protocol), userId, { verificationCode: "ABC123" });
        expect(await refusal(call)).toEqual(codeMissing);
      }
      await expectPassword(userId, PASSWORD, FRESH);
    });
  });

  test("being the user is no permission: the current password is", async () => {
    const userId = await newPerson();
    const user = await asUser(userId);
    expect(await refusal(set(user, userId))).toEqual(permissionDenied);
    expect(await refusal(set(user, cast.noah.id))).toEqual(permissionDenied);
    await expectPassword(userId, PASSWORD, FRESH);
  });

  test("knowing somebody's current password is no permission either", async () => {
    const userId = await newPerson();
    const stranger = asking(house, cast.nobody);
    expect(await refusal(set(stranger, userId, { currentPassword: PASSWORD }))).toEqual(permissionDenied);
    expect(await refusal(set(stranger, userId, { currentPassword: WRONG_PASSWORD }))).toEqual(
      permissionDenied,
    );
    // And is no attempt: the first one that counts is the next.
    expect(await refusalOf(newSession(userId, WRONG_PASSWORD))).toMatchObject({ failedAttempts: 1 });
  });

  test("wrong current passwords count together with those of sessions, and lock exactly at the limit", async () => {
    const userId = await newPerson(cast.strict.id);
    const { sessionId } = await newSession(userId);
    expect(await refusal(set(ask, userId, { currentPassword: WRONG_PASSWORD }))).toEqual(wrong(1));
    expect(await state(userId)).toBe("USER_STATE_ACTIVE");
    expect(await refusalOf(newSession(userId, WRONG_PASSWORD))).toMatchObject({ failedAttempts: 2 });
    expect(await state(userId)).toBe("USER_STATE_LOCKED");
    expect(await refusal(set(ask, userId, { currentPassword: PASSWORD }))).toEqual(locked(2));
    expect(await refusalOf(house.as(cast.owner).getSession({ sessionId }))).toMatchObject({
      id: "QUERY-SFeaa",
    });
    await ask("UnlockUser", { userId });
    await expectPassword(userId, PASSWORD, FRESH);
  });

  test("the last wrong one locks by this way too", async () => {
    const userId = await newPerson(cast.strict.id);
    const user = await asUser(userId);
    expect(await refusal(set(user, userId, { currentPassword: WRONG_PASSWORD }))).toEqual(wrong(1));
    expect(await refusal(set(user, userId, { currentPassword: WRONG_PASSWORD }))).toEqual(wrong(2));
    expect(await state(userId)).toBe("USER_STATE_LOCKED");
    // The session it came by ended with the lock.
    expect(await refusal(set(user, userId, { currentPassword: PASSWORD }))).toMatchObject({
      code: Code.NotFound,
      id: "QUERY-SFeaa",
    });
  });

  test("a new password forgets the failed attempts", async () => {
    const userId = await newPerson(cast.strict.id);
    expect(await refusalOf(newSession(userId, WRONG_PASSWORD))).toMatchObject({ failedAttempts: 1 });
    await set(ask, userId);
    expect(await refusalOf(newSession(userId, WRONG_PASSWORD))).toMatchObject({ failedAttempts: 1 });
    expect(await state(userId)).toBe("USER_STATE_ACTIVE");
  });

  test("a new password takes the password factor from every session that the settings let go on", async () => {
    await house.operate((database) => changeSessionSettings(database, { onPasswordChange: "none" }));
    const userId = await newPerson();
    const { sessionId, sessionToken } = await newSession(userId);
    const session = async () => (await house.as(cast.owner).getSession({ sessionId })).session!;
    expect((await session()).factors!.password).toBeDefined();
    await set(ask, userId);

    expect((await session()).factors!.user!.id).toBe(userId);
    expect((await session()).factors!.password).toBeUndefined();
    const listed = await house.as(cast.owner).listSessions({
      queries: [{ query: { case: "idsQuery", value: { ids: [sessionId] } } }],
    });
    expect(listed.sessions.map(({ factors }) => factors!.password)).toEqual([undefined]);
    expect(await refusal(asking(house, { token: sessionToken })("GetUserByID", { userId }))).toEqual(
      refused(Code.PermissionDenied, "authentication required", "AUTHZ-Kl3p0"),
    );

    const again = await house
      .as(cast.loginClient)
      .setSession({ sessionId, checks: { password: { password: FRESH } } });
    expect((await session()).factors!.password).toBeDefined();
    const user = asking(house, { token: again.sessionToken });
    expect((await user("GetUserByID", { userId })).user).toMatchObject({ userId });
    await house.operate((database) => changeSessionSettings(database, { onPasswordChange: "others" }));
  });

  test("is refused for a password that equals the current one, which stays", async () => {
    const userId = await newPerson();
    const { sessionId } = await newSession(userId);
    expect(await refusal(set(ask, userId, { currentPassword: PASSWORD }, PASSWORD))).toEqual(unchanged);
    const { session } = await house.as(cast.owner).getSession({ sessionId });
    expect(session!.factors!.password).toBeDefined();
    await newSession(userId);
  });

  test("asks for the proof before it looks at the new password", async () => {
    const userId = await newPerson();
    expect(await refusal(set(ask, userId, { currentPassword: WRONG_PASSWORD }, "weak"))).toEqual(wrong(1));
    expect(await refusal(set(ask, userId, { verificationCode: "ABC123" }, "weak"))).toEqual(codeMissing);
  });

  test("holds the new password to every rule", async () => {
    const userId = await newPerson();
    for (const [password, text, id] of [
      ["Short-1", "password is too short", "DOMAIN-HuJf6"],
      ["NO-LOWER-1", "password needs a lower case letter", "DOMAIN-co3Xw"],
      ["no-upper-1", "password needs an upper case letter", "DOMAIN-VoaRj"],
      ["No-Number-Here", "password needs a number", "DOMAIN-ZBv4H"],
      ["NoSymbol123", "password needs a symbol", "DOMAIN-ZDLwA"],
    ] as const) {
      const expected = refused(Code.InvalidArgument, text, id);
      expect(await refusal(set(ask, userId, {}, password))).toEqual(expected);
      expect(await refusal(set(ask, userId, { currentPassword: PASSWORD }, password))).toEqual(expected);
    }
    await newSession(userId);
  });

  test("keeps whether the password has to be changed", async () => {
    const userId = await newPerson();
    const human = async () => ((await ask("GetUserByID", { userId })).user as JsonObject).human as JsonObject;
    await ask("SetPassword", { userId, newPassword: { password: FRESH, changeRequired: true } });
    expect(await human()).toMatchObject({ passwordChangeRequired: true });
    await ask("SetPassword", { userId, newPassword: { password: PASSWORD } });
    expect(await human()).not.toHaveProperty("passwordChangeRequired");
  });

  test("is for people who exist", async () => {
    expect(await refusal(set(ask, "nobody-of-that-id"))).toEqual(userNotFound);
    expect(await refusal(set(ask, "nobody-of-that-id", { currentPassword: PASSWORD }))).toEqual(userNotFound);
    expect(await refusal(set(ask, "nobody-of-that-id", { verificationCode: "ABC123" }))).toEqual(
      userNotFound,
    );
    expect(await refusal(set(ask, cast.nobody.id))).toEqual(userNotFound);
    const userId = await newPerson();
    await ask("DeleteUser", { userId });
    expect(await refusal(set(ask, userId))).toEqual(userNotFound);
  });

  test("of a person without a password has no current one to prove", async () => {
    const userId = await newPerson(cast.home.id, {});
    expect(await refusal(set(ask, userId, { currentPassword: PASSWORD }))).toEqual(
      failed("user has no password", "COMMAND-3nJ4t"),
    );
  });

  test.each<[request: JsonObject, message: string]>([
    [
      { newPassword: { password: "" } },
      "invalid SetPasswordRequest.NewPassword: embedded message failed validation | caused by: " +
        "invalid Password.Password: value length must be between 1 and 200 runes, inclusive",
    ],
    [
      { currentPassword: "x".repeat(201) },
      "invalid SetPasswordRequest.CurrentPassword: value length must be between 1 and 200 runes, inclusive",
    ],
    [
      { verificationCode: "x".repeat(21) },
      "invalid SetPasswordRequest.VerificationCode: value length must be between 1 and 20 runes, inclusive",
    ],
  ])("names the field of %o", async (request, message) => {
    expect(await refusal(ask("SetPassword", { userId: "u", ...request }))).toEqual({
      code: Code.InvalidArgument,
      message,
    });
  });

  test("without a new password is refused", async () => {
    const userId = await newPerson();
    expect(await refusal(ask("SetPassword", { userId }))).toEqual(
      refused(Code.InvalidArgument, "new password is missing", "GATE-Pwd0n"),
    );
  });

  test("by a burst of guesses spends no more than the limit", async () => {
    const userId = await newPerson(cast.strict.id);
    const guesses = await Promise.all(
      Array.from({ length: 6 }, () => refusal(set(ask, userId, { currentPassword: WRONG_PASSWORD }))),
    );
    expect(guesses.filter(({ id }) => id === "COMMAND-3M0fs")).toHaveLength(2);
    expect(guesses.filter(({ id }) => id === "COMMAND-JLK35")).toHaveLength(4);
    expect(await state(userId)).toBe("USER_STATE_LOCKED");
  });
});
