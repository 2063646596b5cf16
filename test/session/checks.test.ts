import { describe, expect, it } from "vitest";
import { decidePasswordCheck, passwordHashToCheck } from "../../src/session/checks/password.ts";
import { checkUser } from "../../src/session/checks/user.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { given, givenSession, givenUser, humanAdded, START } from "../support/given.ts";

const failed: UserEvent = { type: "user.human.password.check.failed", payload: {} };
const locked: UserEvent = { type: "user.locked", payload: {} };
const slug = (name: string) => expect.objectContaining({ slug: name });

describe("the user check", () => {
  it("selects the user, with the organization and the epoch the session is bound to", () => {
    const user = givenUser(locked, { type: "user.unlocked", payload: {} });
    expect(checkUser(givenSession(), user, START).session).toEqual([
      {
        type: "session.user.checked",
        payload: { userID: "mia", userResourceOwner: "acme", userEpoch: 1, checkedAt: START.toISOString() },
      },
    ]);
  });

  it("refreshes the same user and refuses another", () => {
    const session = { ...givenSession(), userId: "mia", userEpoch: 0 };
    expect(checkUser(session, givenUser(), START).session).toHaveLength(1);
    const other = { ...givenUser(), id: "leo" };
    expect(() => checkUser(session, other, START)).toThrow(slug("session.user_change"));
  });

  it("begins no session anew that has ended since it was read", () => {
    const session = { ...givenSession(), userId: "mia", userEpoch: 0 };
    const user = givenUser({ type: "user.sessions.ended", payload: { reason: "password_changed" } });
    expect(user.status).toBe("active");
    expect(() => checkUser(session, user, START)).toThrow(slug("session.terminated"));
  });

  it.each([
    ["nobody", undefined, "session.user_not_found"],
    ["a removed user", givenUser({ type: "user.removed", payload: {} }), "session.user_not_found"],
    ["a locked user", givenUser(locked), "session.user_not_active"],
    ["a deactivated user", givenUser({ type: "user.deactivated", payload: {} }), "session.user_not_active"],
  ])("refuses %s", (_, user, expected) => {
    expect(() => checkUser(givenSession(), user, START)).toThrow(slug(expected));
  });

  it("accepts a machine user", () => {
    const machine = given(userAggregate, initialUser("bot"), [
      {
        type: "user.machine.added",
        payload: { organizationId: "acme", userName: "bot", name: "Bot", accessTokenType: 0 },
      },
    ]);
    expect(checkUser(givenSession(), machine, START).session).toHaveLength(1);
    expect(() => passwordHashToCheck(machine)).toThrow(slug("session.password_user_not_found"));
  });
});

describe("the password check", () => {
  it.each([
    ["a session without user", undefined, "session.password_without_user"],
    ["a removed user", givenUser({ type: "user.removed", payload: {} }), "session.password_user_not_found"],
    ["a locked user", givenUser(failed, locked), "session.password_user_locked"],
    [
      "a user without password",
      given(userAggregate, initialUser("mia"), [
        { type: "user.human.added", payload: { ...humanAdded().payload, encodedHash: undefined } as never },
      ]),
      "session.password_not_set",
    ],
  ])("refuses %s before any hash is computed", (_, user, expected) => {
    expect(() => passwordHashToCheck(user)).toThrow(slug(expected));
  });

  it("tells a locked user's caller how many attempts failed", () => {
    expect(() => passwordHashToCheck(givenUser(failed, failed, locked))).toThrow(
      expect.objectContaining({ failedAttempts: 2 }),
    );
  });

  it("records success on both sides, for the password the user has now", () => {
    const user = givenUser({
      type: "user.human.password.changed",
      payload: { encodedHash: "h2", changeRequired: false },
    });
    expect(decidePasswordCheck(user, { matches: true }, 3, START)).toEqual({
      session: [
        { type: "session.password.checked", payload: { checkedAt: START.toISOString(), passwordEpoch: 1 } },
      ],
      user: [{ type: "user.human.password.check.succeeded", payload: {} }],
    });
  });

  it("stores a fresh hash beside the success when the old one is of older make", () => {
    const { user } = decidePasswordCheck(givenUser(), { matches: true, rehash: "better" }, 0, START);
    expect(user.map(({ type }) => type)).toEqual([
      "user.human.password.check.succeeded",
      "user.human.password.hash.updated",
    ]);
  });

  it.each([
    // failures so far, limit, locks
    [0, 0, false],
    [99, 0, false],
    [0, 1, true],
    [0, 2, false],
    [1, 2, true],
    [5, 2, true],
  ])("after %i failures with a limit of %i: locks %s", (failures, limit, locks) => {
    const user = givenUser(...Array.from({ length: failures }, () => failed));
    const outcome = decidePasswordCheck(user, { matches: false }, limit, START);
    expect(outcome.session).toEqual([]);
    expect(outcome.user.map(({ type }) => type)).toEqual([
      "user.human.password.check.failed",
      ...(locks ? ["user.locked"] : []),
    ]);
    expect(outcome.failure).toMatchObject({ slug: "session.password_invalid", failedAttempts: failures + 1 });
  });

  it("counts a wrong password of a deactivated user, and does not make a lock of it that could be undone", () => {
    const user = givenUser(failed, { type: "user.deactivated", payload: {} });
    const { user: events, failure } = decidePasswordCheck(user, { matches: false }, 2, START);
    expect(events).toEqual([failed]);
    expect(failure).toMatchObject({ slug: "session.password_invalid", failedAttempts: 2 });
  });

  it("counts from zero again after a success, a new password, or an unlock", () => {
    const succeeded: UserEvent = { type: "user.human.password.check.succeeded", payload: {} };
    const changed: UserEvent = {
      type: "user.human.password.changed",
      payload: { encodedHash: "h", changeRequired: false },
    };
    const unlocked: UserEvent = { type: "user.unlocked", payload: {} };
    expect(givenUser(failed, failed).passwordFailedAttempts).toBe(2);
    expect(givenUser(failed, succeeded).passwordFailedAttempts).toBe(0);
    expect(givenUser(failed, changed).passwordFailedAttempts).toBe(0);
    expect(givenUser(failed, locked, unlocked).passwordFailedAttempts).toBe(0);
  });
});
