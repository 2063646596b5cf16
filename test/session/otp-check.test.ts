import { describe, expect, it } from "vitest";
import type { VerificationVerdict } from "../../src/notify/twilio-verify.ts";
import {
  decideOtpCheck,
  type OtpJudges,
  openOtpChallenge,
  otpVerdict,
} from "../../src/session/checks/otp.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import type { UserEvent } from "../../src/user/events.ts";
import type { OtpFactor } from "../../src/user/otp-factors.ts";
import { givenSession, givenUser, START } from "../support/given.ts";

const locked: UserEvent = { type: "user.locked", payload: {} };
const slug = (name: string) => expect.objectContaining({ slug: name });
const minutes = (count: number) => new Date(START.getTime() + count * 60_000);

/** Judges of a code made here; nobody else is to be asked. */
const ownCode = (isOwn: OtpJudges["isOwn"]): OtpJudges => ({ isOwn, ask: () => Promise.reject("asked") });

/** The two kinds of code, and the numbers of their scenarios. */
const kinds: [OtpFactor, "sms" | "email", Record<string, string>][] = [
  [
    "otpSms",
    "sms",
    {
      noUser: "S-146",
      empty: "S-147",
      notReady: "S-148",
      noChallenge: "S-149",
      expired: "S-150",
      locking: "S-151",
      locked: "S-154",
    },
  ],
  [
    "otpEmail",
    "email",
    {
      noUser: "S-155",
      empty: "S-156",
      notReady: "S-157",
      noChallenge: "S-158",
      expired: "S-159",
      locking: "S-160",
      right: "S-161",
    },
  ],
];

describe.each(kinds)("the check of %s", (factor, kind, scenario) => {
  const added: UserEvent = { type: `user.human.mfa.otp.${kind}.added`, payload: {} };
  const failed: UserEvent = { type: `user.human.mfa.otp.${kind}.check.failed`, payload: {} };
  const challenged = (code: string, expiresAt = minutes(5)): SessionEvent =>
    kind === "sms"
      ? {
          type: "session.otp.sms.challenged",
          payload: { code, expiresAt: expiresAt.toISOString(), codeReturned: true },
        }
      : {
          type: "session.otp.email.challenged",
          payload: { code, expiresAt: expiresAt.toISOString(), returnCode: true },
        };
  const checked: SessionEvent = {
    type: `session.otp.${kind}.checked`,
    payload: { checkedAt: START.toISOString() },
  };
  const other: SessionEvent =
    kind === "sms"
      ? {
          type: "session.otp.email.challenged",
          payload: { code: "x", expiresAt: minutes(5).toISOString(), returnCode: true },
        }
      : {
          type: "session.otp.sms.challenged",
          payload: { code: "x", expiresAt: minutes(5).toISOString(), codeReturned: true },
        };
  const session = givenSession(challenged("sealed"));
  const open = (...args: Partial<[typeof session, ReturnType<typeof givenUser> | undefined, string]>) =>
    openOtpChallenge(args[0] ?? session, args[1], factor, args[2] ?? "12345678");

  it(`${scenario.noUser}: refuses a session without user`, () => {
    expect(() => open(session, undefined)).toThrow(slug("session.otp_without_user"));
  });

  it(`${scenario.empty}: refuses an empty code`, () => {
    expect(() => open(session, givenUser(added), "")).toThrow(slug("session.otp_code_empty"));
  });

  it.each([
    ["never added", givenUser()],
    ["removed", givenUser(added, { type: `user.human.mfa.otp.${kind}.removed`, payload: {} })],
    ["of a removed user", givenUser(added, { type: "user.removed", payload: {} })],
  ])(`${scenario.notReady}: refuses a factor %s`, (_, user) => {
    expect(() => open(session, user)).toThrow(slug("session.otp_not_ready"));
  });

  it.each([
    ["none was made", givenSession()],
    ["it was answered", givenSession(challenged("sealed"), checked)],
    ["only the other kind is open", givenSession(other)],
  ])(`${scenario.noChallenge}: refuses where %s`, (_, without) => {
    expect(() => open(without, givenUser(added))).toThrow(slug("session.otp_no_challenge"));
  });

  it(`${scenario.locked ?? ""} refuses a locked user, whatever the code, and stores nothing`, () => {
    expect(() => open(session, givenUser(added, locked))).toThrow(slug("session.otp_locked"));
    expect(() => open(givenSession(), givenUser(added, locked))).toThrow(slug("session.otp_no_challenge"));
  });

  it("looks at the newest challenge", () => {
    const twice = givenSession(challenged("first"), challenged("second", minutes(9)));
    expect(open(twice, givenUser(added))).toEqual({ code: "second", expiresAt: minutes(9).toISOString() });
  });

  it.each([
    [minutes(0), "right"],
    [minutes(5), "right"],
    [new Date(minutes(5).getTime() + 1), "expired"],
    [minutes(10), "expired"],
  ])("takes the right code of five minutes until they are over: at %s it is %s", async (at, verdict) => {
    const challenge = open(session, givenUser(added));
    expect(
      await otpVerdict(
        challenge,
        at,
        ownCode((sealed) => sealed === "sealed"),
      ),
    ).toBe(verdict);
  });

  it("tells a wrong code from an expired one", async () => {
    const challenge = open(session, givenUser(added));
    expect(
      await otpVerdict(
        challenge,
        START,
        ownCode(() => false),
      ),
    ).toBe("wrong");
    expect(
      await otpVerdict(
        challenge,
        minutes(10),
        ownCode(() => false),
      ),
    ).toBe("expired");
  });

  it(`${scenario.right ?? ""} records a right code on both sides, and the challenge is used up`, () => {
    const outcome = decideOtpCheck(givenUser(added), factor, "right", 1, START);
    expect(outcome).toEqual({
      session: [checked],
      user: [{ type: `user.human.mfa.otp.${kind}.check.succeeded`, payload: {} }],
    });
    expect(givenSession(challenged("sealed"), ...outcome.session).challenges).toEqual({});
    expect(givenSession(challenged("sealed"), other, ...outcome.session).challenges).not.toEqual({});
  });

  it.each([
    [`${scenario.expired}: expired`, "expired", 0, 0, false],
    [`${scenario.locking}: expired`, "expired", 0, 1, true],
    ["wrong", "wrong", 0, 0, false],
    ["wrong", "wrong", 0, 1, true],
    ["wrong", "wrong", 1, 3, false],
    ["wrong", "wrong", 2, 3, true],
    ["wrong", "wrong", 7, 3, true],
  ] as const)(
    "%s (%s) after %i failures with a limit of %i: locks %s",
    (_, verdict, failures, limit, locks) => {
      const user = givenUser(added, ...Array.from({ length: failures }, () => failed));
      const outcome = decideOtpCheck(user, factor, verdict, limit, START);
      expect(outcome.session).toEqual([]);
      expect(outcome.user).toEqual([failed, ...(locks ? [locked] : [])]);
      expect(outcome.failure).toMatchObject({
        slug: verdict === "expired" ? "session.otp_expired" : "session.otp_invalid",
        consecutiveFailures: failures + 1,
      });
    },
  );

  it("counts each failure once, and from zero again after a success or an unlock", () => {
    const succeeded: UserEvent = { type: `user.human.mfa.otp.${kind}.check.succeeded`, payload: {} };
    const count = (...history: UserEvent[]) => givenUser(added, ...history).failedAttempts[factor] ?? 0;
    expect(count(failed, failed)).toBe(2);
    expect(count(failed, succeeded, failed)).toBe(1);
    expect(count(failed, locked, { type: "user.unlocked", payload: {} })).toBe(0);
    expect(count(failed, { type: "user.human.mfa.otp.check.succeeded", payload: { step: 1 } })).toBe(1);
  });
});

describe("the check of a code that the provider makes", () => {
  const user = givenUser({ type: "user.human.mfa.otp.sms.added", payload: {} });
  const challenged = (challengeId: string): SessionEvent => ({
    type: "session.otp.sms.challenged",
    payload: {
      code: null,
      generatorId: "twilio",
      challengeId,
      expiresAt: minutes(10).toISOString(),
      codeReturned: false,
    },
  });
  const sent: SessionEvent = { type: "session.otp.sms.sent", payload: { verificationId: "VE1" } };
  const open = (...events: SessionEvent[]) =>
    openOtpChallenge(givenSession(...events), user, "otpSms", "040718");
  const asked: object[] = [];
  const saying = (verdict: VerificationVerdict): OtpJudges => ({
    isOwn: () => {
      throw new Error("there is no code of ours");
    },
    ask: async (challenge) => {
      asked.push(challenge);
      return verdict;
    },
  });

  it.each([
    ["is on its way", [challenged("one")]],
    ["replaced one that was sent", [challenged("one"), sent, challenged("two")]],
  ])("has nothing to ask while it %s", (_, events) => {
    expect(() => open(...events)).toThrow(slug("session.otp_no_challenge"));
  });

  it.each([
    ["S-153: right", { outcome: "approved" }, "right"],
    ["wrong", { outcome: "wrong" }, "wrong"],
    ["gone", { outcome: "gone" }, "expired"],
  ] as const)("is the provider's word: %s", async (_, verdict, expected) => {
    expect(await otpVerdict(open(challenged("one"), sent), minutes(10), saying(verdict))).toBe(expected);
    expect(asked.at(-1)).toMatchObject({ generatorId: "twilio", verificationId: "VE1" });
  });

  it("S-153: records the provider's yes on both sides, and the challenge is used up", () => {
    const { session, user: events } = decideOtpCheck(user, "otpSms", "right", 1, START);
    expect(events).toEqual([{ type: "user.human.mfa.otp.sms.check.succeeded", payload: {} }]);
    expect(session).toEqual([
      { type: "session.otp.sms.checked", payload: { checkedAt: START.toISOString() } },
    ]);
    expect(givenSession(challenged("one"), sent, ...session).challenges).toEqual({});
  });

  it("is refused without a verdict where the provider says nothing", async () => {
    const silence = saying({ outcome: "unavailable", reason: "HTTP 503" });
    await expect(otpVerdict(open(challenged("one"), sent), START, silence)).rejects.toMatchObject({
      slug: "session.otp_provider_unavailable",
      consecutiveFailures: 0,
    });
  });

  it("asks nobody once it has expired", async () => {
    const before = asked.length;
    const late = new Date(minutes(10).getTime() + 1);
    const challenge = open(challenged("one"), sent);
    expect(await otpVerdict(challenge, late, saying({ outcome: "approved" }))).toBe("expired");
    expect(asked).toHaveLength(before);
  });
});
