import { Code } from "@connectrpc/connect";
import { TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { changeSessionSettings, signIn, userCheck } from "../../support/fixtures.ts";
import { newPerson } from "../users/factor-callers.ts";
import {
  type Customer,
  type Desk,
  enrolled,
  factorsOf,
  newCustomer,
  newSession,
  pass,
  shown,
  startDesk,
  wrong,
} from "./desk.ts";

const wrongCode = refused(Code.InvalidArgument, "code is invalid", "EVENT-8isk2");
const notReady = refused(Code.FailedPrecondition, "OTP is not ready", "COMMAND-3Mif9s");
const noUser = refused(Code.InvalidArgument, "user id is missing", "COMMAND-8N9ds");

describe.each(engines)("the check of an authenticator app on %s", (engine) => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await startDesk(engine);
    // Sessions are to see what becomes of a factor that is taken away.
    await desk.operate((database) => changeSessionSettings(database, { onFactorRemoval: "none" }));
  });
  afterAll(() => desk.close());

  const check = (sessionId: string, code: string) =>
    desk.login.setSession({ sessionId, checks: { totp: { code } } });
  const checkRefused = (sessionId: string, code: string) => refusalOf(check(sessionId, code));
  const someone = async (): Promise<Customer & { sessionId: string }> => {
    const customer = await newCustomer(desk);
    const { sessionId } = await newSession(desk, customer);
    return { ...customer, sessionId };
  };

  test("S-022, S-106: proves what the app shows, and counts as two events of the session", async () => {
    const { sessionId, app } = await someone();
    const before = (await desk.login.getSession({ sessionId })).session!.sequence;
    const { details, sessionToken } = await check(sessionId, shown(desk, app));
    expect(details!.sequence).toBe(before + 2n);
    expect(sessionToken).not.toBe("");
    expect(await factorsOf(desk, sessionId)).toEqual(["totp", "user"]);
    const { session } = await desk.login.getSession({ sessionId });
    expect(session!.factors!.totp!.verifiedAt!.seconds).toBe(BigInt(Math.floor(desk.now.getTime() / 1_000)));
  });

  test("S-024: a secret that was brought along counts as verified", async () => {
    const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    const id = await newPerson(desk, { totpSecret: secret });
    const app = new TOTP({ secret });
    const { sessionId } = await desk.login.createSession({
      checks: { ...userCheck({ id }), totp: { code: shown(desk, app) } },
    });
    expect(await factorsOf(desk, sessionId)).toEqual(["totp", "user"]);
    expect(await checkRefused(sessionId, shown(desk, app))).toEqual(wrongCode);
  });

  test("S-031: leaves the other factors as they are", async () => {
    const customer = await newCustomer(desk);
    const { sessionId } = await desk.login.createSession({ checks: signIn(customer) });
    await check(sessionId, shown(desk, customer.app));
    expect(await factorsOf(desk, sessionId)).toEqual(["password", "totp", "user"]);
  });

  test.each([-1, 0, 1])("takes the code of %i steps from now", async (steps) => {
    const { sessionId, app } = await someone();
    await check(sessionId, shown(desk, app, steps));
  });

  test.each([-2, 2])("refuses the code of %i steps from now", async (steps) => {
    const { sessionId, app } = await someone();
    expect(await checkRefused(sessionId, shown(desk, app, steps))).toEqual(wrongCode);
  });

  describe("a code counts once:", () => {
    test("not again in the same session, nor in another", async () => {
      const customer = await someone();
      const code = shown(desk, customer.app);
      await check(customer.sessionId, code);
      const { sessionId: other } = await newSession(desk, customer);
      for (const sessionId of [customer.sessionId, other, customer.sessionId]) {
        expect(await checkRefused(sessionId, code)).toEqual(wrongCode);
      }
      expect(
        await refusalOf(desk.login.createSession({ checks: { ...userCheck(customer), totp: { code } } })),
      ).toEqual(wrongCode);
      expect(await factorsOf(desk, other)).toEqual(["user"]);
      pass(desk, 30);
      expect(await checkRefused(other, code)).toEqual(wrongCode);
      await check(other, shown(desk, customer.app));
    });

    test("nor one that is older than it, although its time is not over", async () => {
      const { sessionId, app } = await someone();
      await check(sessionId, shown(desk, app, 1));
      for (const steps of [1, 0, -1])
        expect(await checkRefused(sessionId, shown(desk, app, steps))).toEqual(wrongCode);
      pass(desk, 30);
      expect(await checkRefused(sessionId, shown(desk, app))).toEqual(wrongCode);
      await check(sessionId, shown(desk, app, 1));
    });

    test("nor the one that proved the app in the first place", async () => {
      const id = await newPerson(desk);
      const app = await enrolled(desk, id);
      const { sessionId } = await newSession(desk, { id });
      expect(await checkRefused(sessionId, shown(desk, app))).toEqual(wrongCode);
      expect(await checkRefused(sessionId, shown(desk, app, -1))).toEqual(wrongCode);
      await check(sessionId, shown(desk, app, 1));
    });

    test("of twenty who have it at once, one gets in", async () => {
      const customer = await newCustomer(desk);
      const sessions = await Promise.all(Array.from({ length: 20 }, () => newSession(desk, customer)));
      const code = shown(desk, customer.app);
      const outcomes = await Promise.allSettled(sessions.map(({ sessionId }) => check(sessionId, code)));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const proven = await Promise.all(sessions.map(({ sessionId }) => factorsOf(desk, sessionId)));
      expect(proven.filter((factors) => factors.includes("totp"))).toHaveLength(1);
    });
  });

  test("S-103: an app that was never proven proves nothing, not even with its own code", async () => {
    const id = await newPerson(desk);
    const { secret } = await desk.ask("RegisterTOTP", { userId: id });
    const { sessionId } = await newSession(desk, { id });
    const code = shown(desk, new TOTP({ secret: secret as string }));
    expect(await checkRefused(sessionId, code)).toEqual(notReady);
  });

  test("one that was removed proves nothing any more, and its successor has a secret of its own", async () => {
    const { id, app, sessionId } = await someone();
    await desk.ask("RemoveTOTP", { userId: id });
    expect(await checkRefused(sessionId, shown(desk, app))).toEqual(notReady);
    const next = await enrolled(desk, id);
    pass(desk, 60);
    expect(await checkRefused(sessionId, shown(desk, app))).toEqual(wrongCode);
    await check(sessionId, shown(desk, next));
  });

  test("S-101: a session without a user has no app", async () => {
    const { sessionId } = await desk.login.createSession({});
    expect(await checkRefused(sessionId, "123456")).toEqual(noUser);
    expect(await refusalOf(desk.login.createSession({ checks: { totp: { code: "123456" } } }))).toEqual(
      noUser,
    );
  });

  test("another person's code is wrong", async () => {
    const [mine, another] = [await someone(), await newCustomer(desk)];
    expect(await checkRefused(mine.sessionId, shown(desk, another.app))).toEqual(wrongCode);
  });

  test.each(["", "12345", "1234567", "١٢٣٤٥٦٧"])("%j is no code: six characters it has", async (code) => {
    const { sessionId } = await desk.login.createSession({});
    const { code: status, message } = await checkRefused(sessionId, code);
    expect(status).toBe(Code.InvalidArgument);
    expect(message.endsWith("invalid CheckTOTP.Code: value length must be 6 runes")).toBe(true);
  });

  test.each(["abcdef", "１２３４５６", "12 456", "-12345", "💥💥💥💥💥💥"])(
    "%j has six and is wrong",
    async (code) => {
      const { sessionId } = await someone();
      expect(await checkRefused(sessionId, code)).toEqual(wrongCode);
    },
  );

  test("a wrong code changes nothing of the session: its token stays, nothing else of the request is stored", async () => {
    const customer = await newCustomer(desk);
    const { sessionId, sessionToken } = await newSession(desk, customer);
    const request = {
      sessionId,
      metadata: { a: new Uint8Array([1]) },
      lifetime: { seconds: 60n },
      checks: { totp: { code: wrong(shown(desk, customer.app)) } },
    };
    expect(await refusalOf(desk.login.setSession(request))).toEqual(wrongCode);
    const { session } = await desk.login.getSession({ sessionId, sessionToken });
    expect(session).toMatchObject({ metadata: {}, sequence: 3n });
    expect(session!.expirationDate).toBeUndefined();
    // What was right before a wrong answer of the same request counts for nothing, and is not used up.
    const both = { totp: { code: shown(desk, customer.app) }, recoveryCode: { code: "00000-00000" } };
    expect(await refusalOf(desk.newest.setSession({ sessionId, checks: both }))).toMatchObject({
      id: "DOMAIN-6uvh0",
    });
    await check(sessionId, both.totp.code);
  });
});
