import { Code } from "@connectrpc/connect";
import { type Client, createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { type TOTP, URI } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Refusal, refusalOf } from "../../support/clients.ts";
import { streamOf, userCheck } from "../../support/fixtures.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";
import { asking, person } from "../users/wire.ts";
import { lockAfter, wrong } from "./desk.ts";

const BURST = 50;

type Factor = "totp" | "otpSms" | "otpEmail" | "recoveryCode";

const factors: { factor: Factor; events: string; wrongId: string; lockedId: string }[] = [
  { factor: "totp", events: "user.human.mfa.otp", wrongId: "EVENT-8isk2", lockedId: "COMMAND-SF3fg" },
  { factor: "otpSms", events: "user.human.mfa.otp.sms", wrongId: "CODE-woT0xc", lockedId: "COMMAND-S6h4R" },
  {
    factor: "otpEmail",
    events: "user.human.mfa.otp.email",
    wrongId: "CODE-woT0xc",
    lockedId: "COMMAND-S6h4R",
  },
  {
    factor: "recoveryCode",
    events: "user.human.mfa.recoverycode",
    wrongId: "DOMAIN-6uvh0",
    lockedId: "COMMAND-2w6oa",
  },
];

/** What a locked person's caller is told: by the check, by the user check, or because the session is over. */
const lockedIds = ["SESSION-Gj4ko", "COMMAND-Hewfq", ...factors.map(({ lockedId }) => lockedId)];

type Target = { id: string; sessions: string[]; right: { [factor in Factor]: string } };

describe("fifty at once, on two servers of one PostgreSQL", () => {
  let server: TestServer;
  /** One of each server. */
  let clients: Client<typeof SessionService>[];
  beforeAll(async () => {
    server = await startTestServer("postgres", { server: { delay: async () => {} } });
    const urls = [server.url, (await server.startAnother()).url];
    clients = urls.map((baseUrl) =>
      createClientFor(SessionService)(createServerTransport(server.adminToken, { baseUrl })),
    );
  });
  afterAll(() => server.close());

  const admin = () => ({ token: server.adminToken });
  const limit = (attempts: number) => lockAfter(server, admin(), attempts);

  /** Somebody with every factor and ten sessions, and a right answer for each. */
  async function newTarget(): Promise<Target> {
    const ask = asking(server, admin());
    const phone = { phone: "+41791234567", isVerified: true };
    const { userId } = await ask("AddHumanUser", person(`target-${crypto.randomUUID()}`, { phone }));
    const id = userId as string;
    const app = URI.parse((await ask("RegisterTOTP", { userId: id })).uri as string) as TOTP;
    await ask("VerifyTOTPRegistration", { userId: id, code: app.generate() });
    await ask("AddOTPSMS", { userId: id });
    await ask("AddOTPEmail", { userId: id });
    const { recoveryCodes } = await ask("GenerateRecoveryCodes", { userId: id, count: 1 });
    const sessions = clients[0]!;
    const created = await Promise.all(
      Array.from({ length: 10 }, () => sessions.createSession({ checks: userCheck({ id }) })),
    );
    const ids = created.map(({ sessionId }) => sessionId);
    const right: Target["right"] = {
      // One step ahead: newer than the one of the set-up, and good for a minute.
      totp: app.generate({ timestamp: Date.now() + 30_000 }),
      otpSms: "",
      otpEmail: "",
      recoveryCode: (recoveryCodes as string[])[0]!,
    };
    for (const sessionId of ids) {
      const { challenges } = await sessions.setSession({
        sessionId,
        challenges: {
          otpSms: { returnCode: true },
          otpEmail: { deliveryType: { case: "returnCode", value: {} } },
        },
      });
      // Each session has codes of its own; the last one's are the right ones to know.
      Object.assign(right, { otpSms: challenges!.otpSms, otpEmail: challenges!.otpEmail });
    }
    return { id, sessions: ids, right };
  }

  const guess = (target: Target, nth: number, factor: Factor) =>
    clients[nth % 2]!.setSession({
      sessionId: target.sessions[nth % target.sessions.length]!,
      checks: { [factor]: { code: wrong(target.right[factor]) } },
    });

  const eventsOf = async ({ id }: Target) => {
    const opened = await server.database.open();
    try {
      return (await streamOf(opened, "user", id)).map(({ type }) => type);
    } finally {
      await opened.close();
    }
  };
  const count = (events: readonly string[], type: string) => events.filter((each) => each === type).length;

  describe.each(factors)("wrong answers of $factor", ({ factor, events, wrongId }) => {
    test.each([1, 3, 10])(
      "with a limit of %i count as many, and lock with the last of them",
      async (attempts) => {
        const target = await newTarget();
        await limit(attempts);
        const outcomes = await Promise.all(
          Array.from({ length: BURST }, (_, nth) => refusalOf(guess(target, nth, factor))),
        );
        const happened = await eventsOf(target);
        expect(count(happened, `${events}.check.failed`)).toBe(attempts);
        expect(count(happened, "user.locked")).toBe(1);
        expect(happened.at(-1)).toBe("user.locked");
        const counted = outcomes.filter(({ id }) => id === wrongId);
        expect(counted).toHaveLength(attempts);
        expect(outcomes.filter((outcome) => !counted.includes(outcome) && !isLockedOrLost(outcome))).toEqual(
          [],
        );
      },
    );

    test("without a limit all of them count on one server, and lock nobody", async () => {
      const target = await newTarget();
      await limit(0);
      const outcomes = await Promise.all(
        Array.from({ length: BURST }, (_, nth) => refusalOf(guess(target, nth * 2, factor))),
      );
      expect(outcomes.map(({ id }) => id)).toEqual(Array(BURST).fill(wrongId));
      const happened = await eventsOf(target);
      expect(count(happened, `${events}.check.failed`)).toBe(BURST);
      expect(count(happened, "user.locked")).toBe(0);
    });
  });

  test("wrong answers of all four at once: one lock, and not one attempt after it", async () => {
    const target = await newTarget();
    await limit(4);
    const outcomes = await Promise.all(
      Array.from({ length: BURST }, (_, nth) => refusalOf(guess(target, nth, factors[nth % 4]!.factor))),
    );
    const happened = await eventsOf(target);
    const failures = factors.map(({ events }) => count(happened, `${events}.check.failed`));
    expect(Math.max(...failures)).toBe(4);
    expect(failures.filter((each) => each === 4)).toHaveLength(1);
    expect(count(happened, "user.locked")).toBe(1);
    expect(happened.at(-1)).toBe("user.locked");
    const wrongIds = factors.map(({ wrongId }) => wrongId);
    expect(outcomes.filter(({ id }) => wrongIds.includes(id!))).toHaveLength(
      failures.reduce((sum, each) => sum + each),
    );
  });

  test.each(factors)(
    "a right answer of $factor in a burst of wrong ones is good before the lock or not at all",
    async ({ factor, events }) => {
      const target = await newTarget();
      await limit(5);
      const withTheCode = target.sessions.at(-1)!;
      const outcomes = await Promise.all(
        Array.from({ length: BURST }, (_, nth) =>
          nth % 5 === 0
            ? clients[nth % 2]!.setSession({
                sessionId: withTheCode,
                checks: { [factor]: { code: target.right[factor] } },
              }).then(
                () => "in",
                () => "out",
              )
            : refusalOf(guess(target, nth, factor)).then(() => "out"),
        ),
      );
      const happened = await eventsOf(target);
      const succeeded = count(happened, `${events}.check.succeeded`);
      expect(succeeded).toBeLessThanOrEqual(1);
      expect(outcomes.filter((outcome) => outcome === "in")).toHaveLength(succeeded);
      // However they were mixed: the lock came after five in a row, and was the end.
      const attempts = happened.filter(
        (type) => type.startsWith(`${events}.check.`) || type === "user.locked",
      );
      const lastSuccess = attempts.lastIndexOf(`${events}.check.succeeded`);
      expect(attempts.slice(lastSuccess + 1)).toEqual([
        ...Array(5).fill(`${events}.check.failed`),
        "user.locked",
      ]);
    },
  );
});

/** Locked; or told to try again, which a caller may be who lost too many races against the other server. */
const isLockedOrLost = ({ id, code }: Refusal): boolean => lockedIds.includes(id!) || code === Code.Aborted;
