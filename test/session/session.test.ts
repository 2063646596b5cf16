import { describe, expect, it } from "vitest";
import { decideDelete } from "../../src/session/delete-session.ts";
import { overdueEnding } from "../../src/session/ending/overdue.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { passwordCheckedAt, sessionAggregate, standing } from "../../src/session/session.ts";
import { APPEND_TIME, change, settled } from "../../src/storage/aggregate.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { givenSession, givenUser, humanAdded, START, sessionUser } from "../support/given.ts";

const checkedAt = "2026-07-10T09:00:00.118Z";
const userChecked = (userEpoch = 0): SessionEvent => ({
  type: "session.user.checked",
  payload: { userID: "mia", userResourceOwner: "acme", userEpoch, checkedAt, preferredLanguage: "de" },
});
const passwordChecked = (passwordEpoch = 0): SessionEvent => ({
  type: "session.password.checked",
  payload: { checkedAt, passwordEpoch },
});
const second = (n: number) => new Date(START.getTime() + n * 1_000);
const empty = <T extends UserEvent["type"]>(type: T) => ({ type, payload: {} }) as UserEvent;

describe("the fold of a session", () => {
  it("keeps what was said at creation, and who said it", () => {
    const session = givenSession();
    expect(session).toMatchObject({
      status: "active",
      creatorId: "creator",
      sequence: 1,
      createdAt: START,
      userAgent: null,
    });
  });

  it("keeps the first event's time as creation and the last one's as change", () => {
    const session = givenSession(userChecked(), passwordChecked());
    expect([session.createdAt, session.changedAt, session.sequence]).toEqual([START, second(2), 3]);
  });

  it("remembers the user and each factor's time, the latest check winning", () => {
    const session = givenSession(userChecked(), passwordChecked(), {
      type: "session.password.checked",
      payload: { checkedAt: "2026-07-10T10:00:00.000Z", passwordEpoch: 4 },
    });
    expect(session).toMatchObject({
      userId: "mia",
      userOrganizationId: "acme",
      factors: {
        user: { checkedAt, preferredLanguage: "de" },
        password: { checkedAt: "2026-07-10T10:00:00.000Z", epoch: 4 },
      },
    });
  });

  it("counts a lifetime from the event that sets it, a later one replacing the earlier", () => {
    const lifetime = (ms: number): SessionEvent => ({
      type: "session.lifetime.set",
      payload: { lifetime: ms },
    });
    expect(givenSession(lifetime(10_000), lifetime(500)).expiresAt).toEqual(
      new Date(second(2).getTime() + 500),
    );
  });

  it("replaces the metadata by what the event says", () => {
    const set = (metadata: Record<string, string>): SessionEvent => ({
      type: "session.metadata.set",
      payload: { metadata },
    });
    expect(givenSession(set({ a: "MQ==" }), set({ b: "Mg==" })).metadata).toEqual({ b: "Mg==" });
  });

  it("folds times of events that are not stored yet as offsets from the append", () => {
    const { state } = change(
      sessionAggregate,
      givenSession(),
      [{ type: "session.lifetime.set", payload: { lifetime: 60_000 } }],
      "tester",
    );
    expect(state.changedAt).toEqual(APPEND_TIME);
    expect(settled(state.expiresAt!, START)).toEqual(new Date(START.getTime() + 60_000));
    expect(settled(state.createdAt, second(9))).toEqual(START);
  });
});

describe("how a session stands", () => {
  const user = givenUser();
  const withUser = givenSession(userChecked());

  it("expires only after its last moment, by the clock it is given", () => {
    const session = givenSession({ type: "session.lifetime.set", payload: { lifetime: 1_000 } });
    expect(standing({ session: session, user: null, now: second(2), endings: [] })).toBe("active");
    expect(
      standing({ session: session, user: null, now: new Date(second(2).getTime() + 1), endings: [] }),
    ).toBe("expired");
  });

  it("has ended once it is terminated, expired or not", () => {
    const session = givenSession(
      { type: "session.lifetime.set", payload: { lifetime: 1 } },
      { type: "session.terminated", payload: {} },
    );
    expect(standing({ session: session, user: null, now: second(99), endings: [] })).toBe("ended");
  });

  it.each([
    ["a locked user", [empty("user.locked")]],
    ["a deactivated user", [empty("user.deactivated")]],
    ["a removed user", [empty("user.removed")]],
    ["a user who was locked and is not any more", [empty("user.locked"), empty("user.unlocked")]],
    [
      "a user who was deactivated and is active again",
      [empty("user.deactivated"), empty("user.reactivated")],
    ],
    ["a removed user whose id is somebody else's now", [empty("user.removed"), humanAdded()]],
  ])("has ended for %s", (_, events) => {
    expect(standing({ session: withUser, user: sessionUser(user), now: START, endings: [] })).toBe("active");
    expect(
      standing({ session: withUser, user: sessionUser(givenUser(...events)), now: START, endings: [] }),
    ).toBe("ended");
  });

  it("goes on when the user signs in again after the lock is lifted", () => {
    const unlocked = givenUser(empty("user.locked"), empty("user.unlocked"));
    expect(
      standing({
        session: givenSession(userChecked(unlocked.sessionEpoch)),
        user: sessionUser(unlocked),
        now: START,
        endings: [],
      }),
    ).toBe("active");
  });

  it("is not touched by a wrong password, a new one, or another name", () => {
    const changed = givenUser(
      empty("user.human.password.check.failed"),
      { type: "user.human.password.changed", payload: { encodedHash: "hash-2", changeRequired: false } },
      { type: "user.username.changed", payload: { userName: "other" } },
    );
    expect(standing({ session: withUser, user: sessionUser(changed), now: START, endings: [] })).toBe(
      "active",
    );
  });
});

describe("the password factor", () => {
  const session = givenSession(userChecked(), passwordChecked());

  it("is gone with a new password, and not with a new hash of the same one", () => {
    const rehashed = givenUser({
      type: "user.human.password.hash.updated",
      payload: { encodedHash: "hash-1b" },
    });
    const changed = givenUser({
      type: "user.human.password.changed",
      payload: { encodedHash: "hash-2", changeRequired: false },
    });
    expect(passwordCheckedAt(session, sessionUser(rehashed))).toEqual(new Date(checkedAt));
    expect(passwordCheckedAt(session, sessionUser(changed))).toBeUndefined();
  });
});

describe("ending a session", () => {
  it("ends it once; ending what has ended changes nothing", () => {
    expect(decideDelete(givenSession(), undefined, "own")).toEqual([
      { type: "session.terminated", payload: { entitlement: "own" } },
    ]);
    const ended = givenSession({ type: "session.terminated", payload: {} });
    expect(decideDelete(ended, undefined, "own")).toEqual([]);
  });

  it("ends an expired one too", () => {
    const expired = givenSession({ type: "session.lifetime.set", payload: { lifetime: 1 } });
    const overdue = overdueEnding({ session: expired, user: null, now: second(99), endings: [] }, undefined);
    const events = decideDelete(expired, overdue, "own");
    expect(events.map(({ type }) => type)).toEqual(["session.expired", "session.dismissed"]);
    const swept = givenSession(
      { type: "session.lifetime.set", payload: { lifetime: 1 } },
      { type: "session.expired", payload: {} },
    );
    expect(decideDelete(swept, undefined, "own")).toEqual([{ type: "session.dismissed", payload: {} }]);
  });
});
