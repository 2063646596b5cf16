import { describe, expect, it } from "vitest";
import { decideTotpCheck, readyForTotp } from "../../src/session/checks/totp.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { givenUser, START } from "../support/given.ts";

const added: UserEvent = { type: "user.human.mfa.otp.added", payload: { otpSecret: "sealed" } };
const verified: UserEvent = { type: "user.human.mfa.otp.verified", payload: { step: 100 } };
const failed: UserEvent = { type: "user.human.mfa.otp.check.failed", payload: {} };
const succeeded: UserEvent = { type: "user.human.mfa.otp.check.succeeded", payload: { step: 200 } };
const locked: UserEvent = { type: "user.locked", payload: {} };
const unlocked: UserEvent = { type: "user.unlocked", payload: {} };
const removed: UserEvent = { type: "user.human.mfa.otp.removed", payload: {} };
const slug = (name: string) => expect.objectContaining({ slug: name });

describe("the check of an authenticator app", () => {
  it.each([
    ["S-101: a session without user", undefined, "session.totp_without_user"],
    ["a user without the app", givenUser(), "session.totp_not_ready"],
    ["S-103: an app that was never proven", givenUser(added), "session.totp_not_ready"],
    ["an app that was removed", givenUser(added, verified, removed), "session.totp_not_ready"],
    [
      "a user who was removed",
      givenUser(added, verified, { type: "user.removed", payload: {} }),
      "session.totp_not_ready",
    ],
    ["S-107: a locked user, whatever the code", givenUser(added, verified, locked), "session.totp_locked"],
    ["a locked user without the app", givenUser(locked), "session.totp_not_ready"],
  ])("refuses %s", (_, user, expected) => {
    expect(() => readyForTotp(user)).toThrow(slug(expected));
    expect(() => readyForTotp(user)).toThrow(expect.objectContaining({ consecutiveFailures: 0 }));
  });

  it("S-106: records a right code on both sides, with its time step", () => {
    const user = givenUser(added, verified);
    expect(readyForTotp(user)).toEqual({ id: "mia", totp: { secret: "sealed", ready: true, lastStep: 100 } });
    expect(decideTotpCheck(user, 4711, 0, START)).toEqual({
      session: [{ type: "session.totp.checked", payload: { checkedAt: START.toISOString() } }],
      user: [{ type: "user.human.mfa.otp.check.succeeded", payload: { step: 4711 } }],
    });
  });

  it.each([
    // failures so far, limit, locks
    [0, 0, false],
    [99, 0, false],
    [0, 1, true],
    [0, 2, false],
    [1, 2, true],
    [5, 2, true],
  ])("S-105: a wrong code after %i failures with a limit of %i: locks %s", (failures, limit, locks) => {
    const user = givenUser(added, verified, ...Array.from({ length: failures }, () => failed));
    const outcome = decideTotpCheck(user, undefined, limit, START);
    expect(outcome.session).toEqual([]);
    expect(outcome.user).toEqual([failed, ...(locks ? [locked] : [])]);
    expect(outcome.failure).toMatchObject({
      slug: "session.totp_invalid",
      consecutiveFailures: failures + 1,
      failedAttempts: undefined,
    });
  });

  it("counts, and locks nobody who was deactivated meanwhile", () => {
    const user = givenUser(added, verified, { type: "user.deactivated", payload: {} });
    expect(decideTotpCheck(user, undefined, 1, START).user).toEqual([failed]);
  });

  it.each([
    ["a right code", [failed, failed, succeeded], 0],
    ["an unlock", [failed, failed, locked, unlocked], 0],
    ["a new app", [failed, removed, added, verified], 0],
    ["nothing", [failed, failed], 2],
    [
      "a failure of another factor",
      [failed, { type: "user.human.mfa.otp.sms.check.failed", payload: {} }],
      1,
    ],
    [
      "a success of another factor",
      [failed, { type: "user.human.password.check.succeeded", payload: {} }],
      1,
    ],
  ] as [string, UserEvent[], number][])("counts anew after %s", (_, history, failures) => {
    expect(givenUser(added, verified, ...history).failedAttempts.totp ?? 0).toBe(failures);
  });

  it("remembers the newest step, and forgets it with the app", () => {
    expect(givenUser(added, verified).totp?.lastStep).toBe(100);
    expect(givenUser(added, verified, succeeded).totp?.lastStep).toBe(200);
    expect(givenUser(added, { type: "user.human.mfa.otp.verified", payload: {} }).totp?.lastStep).toBeNull();
    expect(givenUser(added, verified, succeeded, removed, added).totp).toMatchObject({
      ready: false,
      lastStep: null,
    });
  });
});
