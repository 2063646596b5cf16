import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { changeSessionSettings, signIn, streamOf, userCheck } from "../../support/fixtures.ts";
import { newPerson } from "../users/factor-callers.ts";
import {
  type Customer,
  codeBy,
  type Desk,
  eventCounts,
  factorsOf,
  lockAfter,
  newCustomer,
  newSession,
  pass,
  returned,
  startDesk,
  stateOf,
  wrong,
} from "./desk.ts";

const noUser = refused(Code.InvalidArgument, "user id is missing", "COMMAND-S453v");
const notReady = refused(Code.FailedPrecondition, "OTP is not ready", "COMMAND-d2r52");
const noChallenge = refused(Code.FailedPrecondition, "there is no open code", "COMMAND-S34gh");
const expired = refused(Code.FailedPrecondition, "code has expired", "CODE-QvUQ4P");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "CODE-woT0xc");

const kinds = [
  {
    kind: "otpSms",
    name: "SMS",
    rpc: "SMS",
    event: "sms",
    sent: { otpSms: {} },
    challengeWithoutUser: ["S-124, S-127", "COMMAND-JKL3g"],
    challengeNotReady: ["S-125", "COMMAND-BJ2g3"],
    scenarios: {
      noUser: "S-146",
      empty: "S-147",
      notReady: "S-148",
      noChallenge: "S-149",
      expired: "S-150",
      locking: "S-151",
      right: "S-032",
    },
  },
  {
    kind: "otpEmail",
    name: "e-mail",
    rpc: "Email",
    event: "email",
    sent: { otpEmail: {} },
    challengeWithoutUser: ["S-141", "COMMAND-JK3gp"],
    challengeNotReady: ["S-142", "COMMAND-JKLJ3"],
    scenarios: {
      noUser: "S-155",
      empty: "S-156",
      notReady: "S-157",
      noChallenge: "S-158",
      expired: "S-159",
      locking: "S-160",
      right: "S-161",
    },
  },
] as const;

describe.each(engines)("codes on %s", (engine) => {
  let desk: Desk;
  let mia: Customer;
  beforeAll(async () => {
    desk = await startDesk(engine);
    // Sessions are to see what becomes of a factor that is taken away.
    await desk.operate((database) => changeSessionSettings(database, { onFactorRemoval: "none" }));
    mia = await newCustomer(desk);
  });
  afterAll(() => desk.close());

  describe.each(kinds)(
    "by $name",
    ({ kind, rpc, event, sent, challengeWithoutUser, challengeNotReady, scenarios }) => {
      const check = (sessionId: string, code: string) =>
        desk.login.setSession({ sessionId, checks: { [kind]: { code } } });
      const checkRefused = (sessionId: string, code: string) => refusalOf(check(sessionId, code));
      const challenge = (sessionId: string) => codeBy(desk, kind, sessionId);

      test(`${scenarios.right}: the code that was asked for proves the factor, beside those that were proven before`, async () => {
        const { sessionId } = await desk.login.createSession({ checks: signIn(mia) });
        const code = await challenge(sessionId);
        expect(code).toMatch(/^\d{8}$/);
        const before = (await desk.login.getSession({ sessionId })).session!.sequence;
        const { details } = await check(sessionId, code);
        expect(details!.sequence).toBe(before + 2n);
        expect(await factorsOf(desk, sessionId)).toEqual([kind, "password", "user"].sort());
      });

      test("the challenge is made together with the session, and answered by the next request", async () => {
        const { sessionId, challenges } = await desk.login.createSession({
          checks: userCheck(mia),
          challenges: returned[kind],
        });
        await check(sessionId, challenges![kind]!);
      });

      test("a code that is sent is not returned, and the request counts as two events", async () => {
        const { sessionId, details } = await newSession(desk, mia);
        const answer = await desk.login.setSession({ sessionId, challenges: sent });
        expect(answer.challenges).toBeDefined();
        expect(answer.challenges![kind]).toBeUndefined();
        expect(answer.details!.sequence).toBe(details!.sequence + 2n);
        expect(answer.sessionToken).not.toBe("");
      });

      test("X-019: a code is good once", async () => {
        const { sessionId } = await newSession(desk, mia);
        const code = await challenge(sessionId);
        await check(sessionId, code);
        for (let again = 0; again < 3; again++)
          expect(await checkRefused(sessionId, code)).toEqual(noChallenge);
        await challenge(sessionId);
        expect(await checkRefused(sessionId, code)).toEqual(wrongCode);
      });

      test("X-018: the newest code voids the older one, and only it is good", async () => {
        const { sessionId } = await newSession(desk, mia);
        const [first, second] = [await challenge(sessionId), await challenge(sessionId)];
        expect(await checkRefused(sessionId, first)).toEqual(wrongCode);
        await check(sessionId, second);
      });

      test("a wrong code leaves the challenge open, and is compared to the letter", async () => {
        const { sessionId } = await newSession(desk, mia);
        const code = await challenge(sessionId);
        for (const guess of [
          wrong(code),
          ` ${code}`,
          `${code} `,
          code.slice(1),
          `${code}0`,
          "x".repeat(500),
        ]) {
          expect(await checkRefused(sessionId, guess)).toEqual(wrongCode);
        }
        await check(sessionId, code);
      });

      test("a code belongs to its session and its kind", async () => {
        const [one, two] = [await newSession(desk, mia), await newSession(desk, mia)];
        const code = await challenge(one.sessionId);
        await challenge(two.sessionId);
        expect(await checkRefused(two.sessionId, code)).toEqual(wrongCode);
        const other = kind === "otpSms" ? "otpEmail" : "otpSms";
        expect(
          await refusalOf(desk.login.setSession({ sessionId: one.sessionId, checks: { [other]: { code } } })),
        ).toEqual(noChallenge);
        await check(one.sessionId, code);
      });

      test("of twenty who have a code at once, one gets in", async () => {
        const { sessionId } = await newSession(desk, mia);
        const code = await challenge(sessionId);
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => check(sessionId, code)));
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
        const counts = (await desk.login.getSession({ sessionId })).session!.sequence;
        // added, user, token; challenged, token; checked, token.
        expect(counts).toBe(7n);
      });

      test(`${scenarios.expired}: a right code that is too old has expired, and counts as a failed attempt`, async () => {
        const zoe = await newCustomer(desk);
        const { sessionId } = await newSession(desk, zoe);
        const code = await challenge(sessionId);
        pass(desk, 300);
        await check(sessionId, code);
        const next = await challenge(sessionId);
        pass(desk, 600);
        expect(await checkRefused(sessionId, next)).toEqual(expired);
        expect(await checkRefused(sessionId, wrong(next))).toEqual(expired);
        const counts = await eventCounts(desk, zoe);
        expect(counts[`user.human.mfa.otp.${event}.check.failed`]).toBe(2);
        expect(await stateOf(desk, zoe)).toBe("USER_STATE_ACTIVE");
        await check(sessionId, await challenge(sessionId));
      });

      test(`${scenarios.locking}: where one attempt locks, a right code that is too old does`, async () => {
        const zoe = await newCustomer(desk);
        const { sessionId } = await newSession(desk, zoe);
        const code = await challenge(sessionId);
        pass(desk, 600);
        await lockAfter(desk, desk.cast.owner, 1);
        expect(await checkRefused(sessionId, code)).toEqual(expired);
        await lockAfter(desk, desk.cast.owner, 0);
        expect(await stateOf(desk, zoe)).toBe("USER_STATE_LOCKED");
        expect(await checkRefused(sessionId, code)).toMatchObject({ id: "COMMAND-Hewfq" });
      });

      test(`${scenarios.noUser}: a session without a user has no code`, async () => {
        const { sessionId } = await desk.login.createSession({});
        expect(await checkRefused(sessionId, "12345678")).toEqual(noUser);
      });

      test(`${scenarios.empty}: an empty code is refused`, async () => {
        const { sessionId } = await newSession(desk, mia);
        const { code, message } = await checkRefused(sessionId, "");
        expect(code).toBe(Code.InvalidArgument);
        expect(message).toMatch(/CheckOTP\.Code: value length must be at least 1 runes$/);
      });

      test(`${scenarios.notReady}: a factor that was not added is not ready`, async () => {
        const id = await newPerson(desk);
        const { sessionId } = await newSession(desk, { id });
        expect(await checkRefused(sessionId, "12345678")).toEqual(notReady);
        await desk.ask(`AddOTP${rpc}`, { userId: id });
        expect(await checkRefused(sessionId, "12345678")).toEqual(noChallenge);
        const code = await challenge(sessionId);
        await desk.ask(`RemoveOTP${rpc}`, { userId: id });
        expect(await checkRefused(sessionId, code)).toEqual(notReady);
      });

      test(`${scenarios.noChallenge}: a code nobody asked for is refused, also in the request that asks`, async () => {
        const { sessionId } = await newSession(desk, mia);
        expect(await checkRefused(sessionId, "12345678")).toEqual(noChallenge);
        const request = {
          checks: { ...userCheck(mia), [kind]: { code: "12345678" } },
          challenges: returned[kind],
        };
        expect(await refusalOf(desk.login.createSession(request))).toEqual(noChallenge);
      });

      test(`${challengeWithoutUser[0]}: a challenge without a user is refused`, async () => {
        const expected = refused(Code.FailedPrecondition, "user id is missing", challengeWithoutUser[1]);
        const { sessionId } = await desk.login.createSession({});
        for (const challenges of [returned[kind], sent]) {
          expect(await refusalOf(desk.login.setSession({ sessionId, challenges }))).toEqual(expected);
          expect(await refusalOf(desk.login.createSession({ challenges }))).toEqual(expected);
        }
      });

      test(`${challengeNotReady[0]}: a challenge of somebody without the factor is refused`, async () => {
        const expected = refused(Code.FailedPrecondition, "OTP is not ready", challengeNotReady[1]);
        const id = await newPerson(desk);
        const { sessionId, sessionToken } = await newSession(desk, { id });
        for (const challenges of [returned[kind], sent]) {
          expect(await refusalOf(desk.login.setSession({ sessionId, challenges }))).toEqual(expected);
          expect(await refusalOf(desk.login.createSession({ checks: signIn({ id }), challenges }))).toEqual(
            expected,
          );
        }
        // Nothing of the requests was stored: the old token is still the current one.
        await desk.login.getSession({ sessionId, sessionToken });
      });

      test("the code is in no event and in no row", async () => {
        const { sessionId } = await newSession(desk, mia);
        const code = await challenge(sessionId);
        const written = await desk.operate(async (database) => {
          const row = await database.db
            .selectFrom("sessions")
            .selectAll()
            .where("id", "=", sessionId)
            .execute();
          return JSON.stringify([row, await streamOf(database, "session", sessionId)]);
        });
        expect(written).toContain(`session.otp.${event}.challenged`);
        expect(written).not.toContain(code);
        expect(written).not.toContain(Buffer.from(code).toString("base64").replaceAll("=", ""));
      });
    },
  );

  describe("the template of the link in the mail", () => {
    const challengeBy = (urlTemplate: string) => ({
      otpEmail: { deliveryType: { case: "sendCode" as const, value: { urlTemplate } } },
    });

    test.each([
      ["that does not parse", "https://login.example.com/{{.Code", "DOMAIN-oGh5e"],
      ["that names what there is not", "https://login.example.com/{{.Password}}", "DOMAIN-ieYa7"],
    ])("%s is refused before a wrong password beside it is looked at", async (_, urlTemplate, id) => {
      const { sessionId, sessionToken } = await newSession(desk, mia);
      const expected = refused(Code.InvalidArgument, "the URL template is invalid", id);
      const request = { checks: { password: { password: "wrong" } }, challenges: challengeBy(urlTemplate) };
      expect(await refusalOf(desk.login.setSession({ sessionId, ...request }))).toEqual(expected);
      expect(await refusalOf(desk.login.createSession({ challenges: challengeBy(urlTemplate) }))).toEqual(
        expected,
      );
      await desk.login.getSession({ sessionId, sessionToken });
      expect((await eventCounts(desk, mia))["user.human.password.check.failed"]).toBeUndefined();
    });

    test("S-136: is looked at before the factor", async () => {
      const id = await newPerson(desk);
      const { sessionId } = await newSession(desk, { id });
      const ask = (urlTemplate: string) =>
        refusalOf(desk.login.setSession({ sessionId, challenges: challengeBy(urlTemplate) }));
      expect(await ask("https://login.example.com/{{.Code")).toMatchObject({ id: "DOMAIN-oGh5e" });
      expect(await ask("https://login.example.com/{{.Code}}")).toMatchObject({ id: "COMMAND-JKLJ3" });
    });

    test("tells nobody without permission anything", async () => {
      const nobody = desk.as(desk.cast.nobody);
      for (const urlTemplate of [
        "https://login.example.com/{{.Code",
        "https://login.example.com/{{.Code}}",
      ]) {
        expect(await refusalOf(nobody.createSession({ challenges: challengeBy(urlTemplate) }))).toMatchObject(
          {
            code: Code.PermissionDenied,
          },
        );
      }
    });
  });

  test("both codes prove their factors in one request", async () => {
    const { sessionId } = await newSession(desk, mia);
    const { challenges } = await desk.login.setSession({
      sessionId,
      challenges: { ...returned.otpSms, ...returned.otpEmail },
    });
    await desk.login.setSession({
      sessionId,
      checks: { otpSms: { code: challenges!.otpSms! }, otpEmail: { code: challenges!.otpEmail! } },
    });
    expect(await factorsOf(desk, sessionId)).toEqual(["otpEmail", "otpSms", "user"]);
  });
});
