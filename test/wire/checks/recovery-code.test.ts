import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { signIn, userCheck } from "../../support/fixtures.ts";
import { newPerson } from "../users/factor-callers.ts";
import {
  type Customer,
  type Desk,
  eventCounts,
  factorsOf,
  newCustomer,
  newSession,
  shown,
  startDesk,
  stateOf,
} from "./desk.ts";

const noUser = refused(Code.InvalidArgument, "user id is missing", "COMMAND-4m9s2");
const notReady = refused(Code.FailedPrecondition, "recovery codes are not ready", "COMMAND-84rgg");
const wrongCode = refused(Code.InvalidArgument, "recovery code is invalid", "DOMAIN-6uvh0");

describe.each(engines)("the check of a recovery code on %s", (engine) => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await startDesk(engine);
  });
  afterAll(() => desk.close());

  const check = (sessionId: string, code: string) =>
    desk.newest.setSession({ sessionId, checks: { recoveryCode: { code } } });
  const checkRefused = (sessionId: string, code: string) => refusalOf(check(sessionId, code));
  const someone = async (): Promise<Customer & { sessionId: string }> => {
    const customer = await newCustomer(desk);
    return { ...customer, sessionId: (await newSession(desk, customer)).sessionId };
  };

  test("S-034, S-114: the first of them proves the factor, and the others are kept", async () => {
    const customer = await newCustomer(desk);
    const { sessionId } = await desk.login.createSession({
      checks: { ...signIn(customer), totp: { code: shown(desk, customer.app) } },
    });
    const { details } = await check(sessionId, customer.recoveryCodes[0]!);
    expect(details!.sequence).toBe(7n);
    expect(await factorsOf(desk, sessionId)).toEqual(["password", "recoveryCode", "totp", "user"]);
    await check(sessionId, customer.recoveryCodes[1]!);
  });

  test("X-020: one that was used is refused every time, in this session and in others", async () => {
    const customer = await someone();
    const [code] = customer.recoveryCodes as [string];
    await check(customer.sessionId, code);
    const { sessionId: other } = await newSession(desk, customer);
    for (const sessionId of [customer.sessionId, other, customer.sessionId]) {
      expect(await checkRefused(sessionId, code)).toEqual(wrongCode);
    }
    expect(await factorsOf(desk, other)).toEqual(["user"]);
    // A used one makes room for another.
    await desk.ask("GenerateRecoveryCodes", { userId: customer.id, count: 1 });
    expect(await checkRefused(other, code)).toEqual(wrongCode);
  });

  test("each of ten is good once, in any order, and when all are used up a code is just wrong", async () => {
    const { id, sessionId, recoveryCodes } = await someone();
    for (const code of [...recoveryCodes].reverse()) await check(sessionId, code);
    for (const code of recoveryCodes) expect(await checkRefused(sessionId, code)).toEqual(wrongCode);
    const { recoveryCodes: more } = await desk.ask("GenerateRecoveryCodes", { userId: id, count: 10 });
    await check(sessionId, (more as string[])[9]!);
  });

  test("of twenty who have one at once, one gets in", async () => {
    const customer = await newCustomer(desk);
    const sessions = await Promise.all(Array.from({ length: 20 }, () => newSession(desk, customer)));
    const outcomes = await Promise.allSettled(
      sessions.map(({ sessionId }) => check(sessionId, customer.recoveryCodes[0]!)),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const proven = await Promise.all(sessions.map(({ sessionId }) => factorsOf(desk, sessionId)));
    expect(proven.filter((factors) => factors.includes("recoveryCode"))).toHaveLength(1);
  });

  test("twenty requests with the ten codes at once use up ten", async () => {
    const customer = await newCustomer(desk);
    const { sessionId } = await newSession(desk, customer);
    const twice = [...customer.recoveryCodes, ...customer.recoveryCodes];
    const outcomes = await Promise.allSettled(twice.map((code) => check(sessionId, code)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    const counts = await eventCounts(desk, customer);
    expect(counts["user.human.mfa.recoverycode.check.succeeded"]).toBe(10);
    expect(counts["user.human.mfa.recoverycode.check.failed"]).toBe(10);
  });

  test("is compared to the letter, hyphen and case included", async () => {
    const { sessionId, recoveryCodes } = await someone();
    const code = recoveryCodes.find((each) => /[a-z]/.test(each))!;
    for (const guess of [
      code.toUpperCase(),
      code.replace("-", ""),
      ` ${code}`,
      `${code} `,
      code.replace("-", "_"),
    ]) {
      expect(await checkRefused(sessionId, guess)).toEqual(wrongCode);
    }
    await check(sessionId, code);
  });

  test("S-111: a wrong one is a failed attempt, and locks nobody where nothing says so", async () => {
    const customer = await someone();
    for (let attempt = 0; attempt < 6; attempt++) {
      expect(await checkRefused(customer.sessionId, "00000-00000")).toEqual(wrongCode);
    }
    expect((await eventCounts(desk, customer))["user.human.mfa.recoverycode.check.failed"]).toBe(6);
    expect(await stateOf(desk, customer)).toBe("USER_STATE_ACTIVE");
    expect(await factorsOf(desk, customer.sessionId)).toEqual(["user"]);
  });

  test("another person's code is wrong", async () => {
    const [mine, another] = [await someone(), await newCustomer(desk)];
    expect(await checkRefused(mine.sessionId, another.recoveryCodes[0]!)).toEqual(wrongCode);
    const { sessionId } = await newSession(desk, another);
    await check(sessionId, another.recoveryCodes[0]!);
  });

  test("S-108: a session without a user has none", async () => {
    const { sessionId } = await desk.login.createSession({});
    expect(await checkRefused(sessionId, "00000-00000")).toEqual(noUser);
  });

  test("S-110: a person who has none, or none any more, is not ready", async () => {
    const id = await newPerson(desk);
    const request = { checks: { ...userCheck({ id }), recoveryCode: { code: "00000-00000" } } };
    expect(await refusalOf(desk.newest.createSession(request))).toEqual(notReady);
    const { recoveryCodes } = await desk.ask("GenerateRecoveryCodes", { userId: id, count: 2 });
    await desk.ask("RemoveRecoveryCodes", { userId: id });
    const { sessionId } = await newSession(desk, { id });
    expect(await checkRefused(sessionId, (recoveryCodes as string[])[0]!)).toEqual(notReady);
    const { recoveryCodes: newer } = await desk.ask("GenerateRecoveryCodes", { userId: id, count: 1 });
    expect(await checkRefused(sessionId, (recoveryCodes as string[])[0]!)).toEqual(wrongCode);
    await check(sessionId, (newer as string[])[0]!);
  });

  test("S-113: a locked person's right code is not looked at, and is still good after the unlock", async () => {
    const { id, sessionId, recoveryCodes } = await someone();
    await desk.ask("LockUser", { userId: id });
    const request = { checks: { ...userCheck({ id }), recoveryCode: { code: recoveryCodes[0]! } } };
    expect(await refusalOf(desk.newest.createSession(request))).toMatchObject({ id: "SESSION-Gj4ko" });
    expect(await checkRefused(sessionId, recoveryCodes[0]!)).toMatchObject({ id: "COMMAND-Hewfq" });
    await desk.ask("UnlockUser", { userId: id });
    await desk.newest.createSession(request);
  });

  test.each([
    ["", "between 1 and 200 runes"],
    ["x".repeat(201), "between 1 and 200 runes"],
  ])("%j is no code", async (code, rule) => {
    const { sessionId } = await desk.login.createSession({});
    const { code: status, message } = await checkRefused(sessionId, code);
    expect(status).toBe(Code.InvalidArgument);
    expect(message).toContain(`CheckRecoveryCode.Code: value length must be ${rule}`);
  });
});
