import { describe, expect, it } from "vitest";
import {
  checkRecoveryCode,
  decideRecoveryCodeCheck,
  readyForRecoveryCode,
} from "../../src/session/checks/recovery-code.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { recoveryCodeDigest } from "../../src/user/recovery-codes.ts";
import { givenSession, givenUser, START } from "../support/given.ts";

const KEY = new Uint8Array(32).fill(1);
const CODE = "abcde-12345";
const digest = recoveryCodeDigest(KEY, "mia", CODE);
const added: UserEvent = { type: "user.human.mfa.recoverycode.added", payload: { codes: ["other", digest] } };
const failed: UserEvent = { type: "user.human.mfa.recoverycode.check.failed", payload: {} };
const used = (codeChecked: string): UserEvent => ({
  type: "user.human.mfa.recoverycode.check.succeeded",
  payload: { codeChecked },
});
const removed: UserEvent = { type: "user.human.mfa.recoverycode.removed", payload: {} };
const locked: UserEvent = { type: "user.locked", payload: {} };
const slug = (name: string) => expect.objectContaining({ slug: name });

describe("the check of a recovery code", () => {
  it.each([
    ["an empty code", undefined, "", "session.recovery_code_empty"],
    ["S-108: a session without user", undefined, CODE, "session.recovery_code_without_user"],
    ["S-110: a user without codes", givenUser(), CODE, "session.recovery_code_not_ready"],
    ["a user whose codes were removed", givenUser(added, removed), CODE, "session.recovery_code_not_ready"],
    ["S-113: a locked user, right or wrong", givenUser(added, locked), CODE, "session.recovery_code_locked"],
    ["a locked user without codes", givenUser(locked), CODE, "session.recovery_code_locked"],
  ])("refuses %s", (_, user, code, expected) => {
    expect(() => readyForRecoveryCode(user, code)).toThrow(slug(expected));
  });

  it("S-114: records a right code on both sides, and it is used up", () => {
    const outcome = decideRecoveryCodeCheck(givenUser(added), digest, 1, START);
    expect(outcome).toEqual({
      session: [{ type: "session.recoveryCode.checked", payload: { checkedAt: START.toISOString() } }],
      user: [used(digest)],
    });
    expect(givenUser(added, ...outcome.user).recoveryCodes).toEqual(["other"]);
    expect(givenSession(...outcome.session).factors.recoveryCode).toEqual({ checkedAt: START.toISOString() });
  });

  it.each([
    [0, 0, false],
    [0, 1, true],
    [1, 3, false],
    [2, 3, true],
  ])("S-111: a wrong one after %i failures with a limit of %i: locks %s", (failures, limit, locks) => {
    const user = givenUser(added, ...Array.from({ length: failures }, () => failed));
    const outcome = decideRecoveryCodeCheck(user, undefined, limit, START);
    expect(outcome.session).toEqual([]);
    expect(outcome.user).toEqual([failed, ...(locks ? [locked] : [])]);
    expect(outcome.failure).toMatchObject({
      slug: "session.recovery_code_invalid",
      consecutiveFailures: failures + 1,
    });
  });

  it.each([
    ["right", CODE, "mia", true],
    ["in capitals", CODE.toUpperCase(), "mia", false],
    ["without the hyphen", CODE.replace("-", ""), "mia", false],
    ["with a blank", `${CODE} `, "mia", false],
    ["as stored", digest, "mia", false],
  ])("compares to the letter: %s", async (_, code, id, right) => {
    const context = {
      session: givenSession(),
      user: { ...givenUser(added), id },
      lockout: async () => ({ maxPasswordAttempts: 0, maxOtpAttempts: 0 }),
      at: START,
      actorId: "creator",
    };
    const { failure } = await checkRecoveryCode(context, code, KEY);
    expect(failure === undefined).toBe(right);
    const ofSomebodyElse = await checkRecoveryCode(
      { ...context, user: { ...context.user, id: "leo" } },
      code,
      KEY,
    );
    expect(ofSomebodyElse.failure).toMatchObject({ slug: "session.recovery_code_invalid" });
  });

  it("when all are used up a code is wrong, not impossible: nobody learns how many are left", () => {
    const user = givenUser(added, used("other"), used(digest));
    expect(user.recoveryCodes).toEqual([]);
    expect(readyForRecoveryCode(user, CODE)).toEqual({ id: "mia", recoveryCodes: [] });
  });

  it("counts from zero again after a success, an unlock or new codes after a removal", () => {
    const count = (...history: UserEvent[]) => givenUser(added, ...history).failedAttempts.recoveryCode ?? 0;
    expect(count(failed, failed)).toBe(2);
    expect(count(failed, used("other"))).toBe(0);
    expect(count(failed, locked, { type: "user.unlocked", payload: {} })).toBe(0);
    expect(count(failed, removed, added)).toBe(0);
    // Otherwise whoever may generate codes could guess without end.
    expect(count(failed, added)).toBe(1);
  });
});
