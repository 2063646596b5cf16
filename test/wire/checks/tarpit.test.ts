import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { refusalOf } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import {
  type Customer,
  codeBy,
  type Desk,
  newCustomer,
  newSession,
  pass,
  shown,
  startDesk,
  wrong,
} from "./desk.ts";

/** The answer to the n-th wrong one in a row waits: floor((n - 5) / 5) seconds, from the fifth on, ten at most. */
const table: [from: number, to: number, milliseconds: number][] = [
  [1, 9, 0],
  [10, 14, 1_000],
  [15, 19, 2_000],
  [20, 24, 3_000],
  [25, 29, 4_000],
  [30, 34, 5_000],
  [35, 39, 6_000],
  [40, 44, 7_000],
  [45, 49, 8_000],
  [50, 54, 9_000],
  [55, 62, 10_000],
];
const delayOf = (attempt: number) => table.find(([from, to]) => attempt >= from && attempt <= to)![2];
/** Which delays so many wrong answers in a row leave behind. */
const delays = (attempts: number) =>
  Array.from({ length: attempts }, (_, index) => delayOf(index + 1)).filter(
    (milliseconds) => milliseconds > 0,
  );

const factors = ["totp", "otpSms", "otpEmail", "recoveryCode"] as const;
type Factor = (typeof factors)[number];

describe.each(engines)("answers to wrong codes on %s", (engine) => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await startDesk(engine);
  });
  beforeEach(() => {
    desk.heldBack = [];
  });
  afterAll(() => desk.close());

  const answer = (sessionId: string, factor: Factor, code: string) =>
    desk.newest.setSession({ sessionId, checks: { [factor]: { code } } });
  const rightCode = async ({ app, recoveryCodes }: Customer, sessionId: string, factor: Factor) => {
    if (factor === "totp") return shown(desk, app);
    if (factor === "recoveryCode") return recoveryCodes.shift()!;
    return codeBy(desk, factor, sessionId);
  };

  describe.each(factors)("of %s", (factor) => {
    test("are held back by the table, and by nothing after a right one", async () => {
      const customer = await newCustomer(desk);
      const { sessionId } = await newSession(desk, customer);
      const code = await rightCode(customer, sessionId, factor);
      for (let attempt = 1; attempt <= 21; attempt++) {
        const { code: status } = await refusalOf(answer(sessionId, factor, wrong(code)));
        expect(status).toBe(Code.InvalidArgument);
        expect(desk.heldBack).toEqual(delays(attempt));
      }
      await answer(sessionId, factor, code);
      pass(desk, 60);
      const next = await rightCode(customer, sessionId, factor);
      for (let attempt = 1; attempt <= 11; attempt++) await refusalOf(answer(sessionId, factor, wrong(next)));
      expect(desk.heldBack).toEqual([...delays(21), ...delays(11)]);
    });

    test("are not held back for what the others cost", async () => {
      const customer = await newCustomer(desk);
      const { sessionId } = await newSession(desk, customer);
      for (const other of factors.filter((each) => each !== factor)) {
        const code = await rightCode(customer, sessionId, other);
        for (let attempt = 1; attempt <= 9; attempt++) await refusalOf(answer(sessionId, other, wrong(code)));
      }
      const code = await rightCode(customer, sessionId, factor);
      for (let attempt = 1; attempt <= 9; attempt++) await refusalOf(answer(sessionId, factor, wrong(code)));
      expect(desk.heldBack).toEqual([]);
      await refusalOf(answer(sessionId, factor, wrong(code)));
      expect(desk.heldBack).toEqual([1_000]);
    });
  });

  test("wait ten seconds at most", async () => {
    const customer = await newCustomer(desk);
    const { sessionId } = await newSession(desk, customer);
    const code = wrong(customer.recoveryCodes[0]!);
    for (let attempt = 1; attempt <= 62; attempt++) await refusalOf(answer(sessionId, "recoveryCode", code));
    expect(desk.heldBack).toEqual(delays(62));
  });

  test("that expired count as wrong ones", async () => {
    const customer = await newCustomer(desk);
    const { sessionId } = await newSession(desk, customer);
    const code = await codeBy(desk, "otpSms", sessionId);
    pass(desk, 600);
    for (let attempt = 1; attempt <= 12; attempt++) {
      expect(await refusalOf(answer(sessionId, "otpSms", code))).toMatchObject({ id: "CODE-QvUQ4P" });
    }
    expect(desk.heldBack).toEqual(delays(12));
  });

  test("S-101, S-103: are not held back where no code could have been right", async () => {
    const { sessionId: anonymous } = await desk.login.createSession({});
    const { sessionId } = await newSession(desk, desk.cast.mia);
    for (const factor of factors) {
      for (let attempt = 1; attempt <= 12; attempt++) {
        await refusalOf(answer(anonymous, factor, "123456"));
        await refusalOf(answer(sessionId, factor, "123456"));
      }
    }
    expect(desk.heldBack).toEqual([]);
  });
});
