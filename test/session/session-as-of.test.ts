import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, passwordCheckedAt, sessionAggregate } from "../../src/session/session.ts";
import { type History, sessionAsOf } from "../../src/session/session-as-of.ts";
import { summaryOf } from "../../src/session/summary.ts";
import type { Recorded } from "../../src/storage/aggregate.ts";
import type { RunningEnding } from "../../src/storage/session-repository.ts";
import type { UserAct } from "../../src/storage/session-search.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { humanAdded, SESSION_ID, START, sessionUser } from "../support/given.ts";

/** So many seconds after the start. */
const at = (seconds: number) => new Date(START.getTime() + seconds * 1_000);

type At<E> = [second: number, ...events: E[]];

function recorded<E extends SessionEvent | UserEvent>(
  entries: readonly At<E>[],
  actorId: string,
): Recorded<E>[] {
  return entries
    .flatMap(([second, ...events]) => events.map((event) => ({ ...event, createdAt: at(second), actorId })))
    .map((event, index) => ({ ...event, sequence: index + 1 }));
}

const added: SessionEvent = { type: "session.added", payload: {} };
const ofMia: SessionEvent = {
  type: "session.user.checked",
  payload: { userID: "mia", userResourceOwner: "acme", userEpoch: 0, checkedAt: START.toISOString() },
};
const lifetime = (seconds: number): SessionEvent => ({
  type: "session.lifetime.set",
  payload: { lifetime: seconds * 1_000 },
});
const metadata = (value: string): SessionEvent => ({
  type: "session.metadata.set",
  payload: { metadata: { k: value } },
});
const locked: UserEvent = { type: "user.locked", payload: {} };
const lockedAt = (second: number): UserAct => ({
  reason: "user_locked",
  actorId: "admin",
  endedAt: at(second),
});

/** What the house knows 1000 seconds after the start. */
function story({
  session,
  user = [[0, humanAdded()]],
  act,
  endings = [],
}: {
  session: At<SessionEvent>[];
  user?: At<UserEvent>[];
  act?: UserAct;
  endings?: RunningEnding[];
}) {
  const history: History = { session: recorded(session, "creator"), user: recorded(user, "admin") };
  const state = history.session.reduce(sessionAggregate.evolve, initialSession(SESSION_ID));
  const mia = history.user.reduce(userAggregate.evolve, initialUser("mia"));
  const record = {
    session: state,
    user: state.userId === null ? null : sessionUser(mia),
    now: at(1_000),
    endings,
  };
  const asOf = (second: number) => sessionAsOf({ record, act }, history, at(second));
  const stands = (second: number) => {
    const known = asOf(second);
    return (
      known && [
        known.standing,
        known.ended?.reason,
        known.ended && (known.ended.at.getTime() - START.getTime()) / 1_000,
      ]
    );
  };
  return { asOf, stands, state, history };
}

describe("a session as of a time", () => {
  it("was not there before its creation", () => {
    const { asOf } = story({ session: [[10, added]] });
    expect(asOf(9)).toBeUndefined();
    expect(asOf(10)?.standing).toBe("active");
  });

  it("is what its events had made of it by then", () => {
    const { asOf, state } = story({
      session: [
        [10, added],
        [20, metadata("a")],
        [30, metadata("b"), lifetime(60)],
      ],
    });
    expect(asOf(19)!.record.session).toMatchObject({ metadata: {}, sequence: 1, changedAt: at(10) });
    expect(asOf(20)!.record.session).toMatchObject({ metadata: { k: "a" }, sequence: 2, expiresAt: null });
    expect(asOf(999)!.record.session).toEqual(state);
  });

  it("had expired once its lifetime was over, whenever that was written down", () => {
    for (const event of [[], [[300, { type: "session.expired", payload: {} }] as At<SessionEvent>]]) {
      const { stands } = story({ session: [[10, added, lifetime(60)], ...event] });
      expect(stands(70)).toEqual(["active", undefined, undefined]);
      expect(stands(71)).toEqual(["expired", "expired", 70]);
      expect(stands(400)).toEqual(["expired", "expired", 70]);
    }
  });

  it("had not expired by then for what its lifetime was before it was longer", () => {
    const { stands } = story({
      session: [
        [10, added, lifetime(60)],
        [50, lifetime(600)],
      ],
    });
    expect(stands(300)).toEqual(["active", undefined, undefined]);
    expect(stands(651)).toEqual(["expired", "expired", 650]);
  });

  it("was over from the act on its user on, before there was an event of it", () => {
    const written: At<SessionEvent> = [
      500,
      { type: "session.terminated", payload: { reason: "user_locked", endedAt: at(100).toISOString() } },
    ];
    const user: At<UserEvent>[] = [
      [0, humanAdded()],
      [100, locked],
    ];
    for (const event of [[], [written]]) {
      const { stands } = story({ session: [[10, added, ofMia], ...event], user, act: lockedAt(100) });
      expect(stands(99)).toEqual(["active", undefined, undefined]);
      for (const second of [100, 300, 600]) expect(stands(second)).toEqual(["ended", "user_locked", 100]);
    }
  });

  it("was over from the beginning of a bulk ending on, before there was an event of it", () => {
    const ending = { id: "op", filter: { userIds: ["mia"] }, actorId: "admin", createdAt: at(100) };
    const written: At<SessionEvent> = [
      500,
      {
        type: "session.terminated",
        payload: { reason: "ended_by_filter", operationId: "op", endedAt: at(100).toISOString() },
      },
    ];
    const running = story({ session: [[10, added, ofMia]], endings: [ending] });
    const done = story({ session: [[10, added, ofMia], written] });
    for (const { stands, asOf } of [running, done]) {
      expect(stands(99)).toEqual(["active", undefined, undefined]);
      expect(stands(100)).toEqual(["ended", "ended_by_filter", 100]);
      expect(asOf(600)!.ended!.operationId).toBe("op");
    }
  });

  it("stood as expired until it was dismissed, or its user locked", () => {
    const expired: At<SessionEvent> = [80, { type: "session.expired", payload: {} }];
    const dismissed: At<SessionEvent> = [500, { type: "session.dismissed", payload: {} }];
    const session: At<SessionEvent>[] = [[10, added, ofMia, lifetime(60)], expired];
    const byHand = story({ session: [...session, dismissed] });
    expect(byHand.stands(499)).toEqual(["expired", "expired", 70]);
    expect(byHand.stands(500)).toEqual(["ended", "expired", 70]);
    const user: At<UserEvent>[] = [
      [0, humanAdded()],
      [300, locked],
    ];
    for (const events of [session, [...session, dismissed]]) {
      const { stands } = story({ session: events, user, act: lockedAt(300) });
      expect(stands(299)).toEqual(["expired", "expired", 70]);
      expect(stands(300)).toEqual(["ended", "expired", 70]);
    }
  });

  it("shows its user's name as it was, and a password that was right then", () => {
    const proven: SessionEvent = {
      type: "session.password.checked",
      payload: { checkedAt: at(10).toISOString(), passwordEpoch: 0 },
    };
    const { asOf } = story({
      session: [[10, added, ofMia, proven]],
      user: [
        [0, humanAdded()],
        [100, { type: "user.human.profile.changed", payload: { displayName: "Mia Newname" } }],
        [
          200,
          { type: "user.human.password.changed", payload: { encodedHash: "hash-2", changeRequired: false } },
        ],
      ],
    });
    const shown = (second: number) => {
      const { session, user } = asOf(second)!.record;
      return [user!.displayName, passwordCheckedAt(session, user)];
    };
    expect(shown(99)).toEqual(["Mia Example", at(10)]);
    expect(shown(100)).toEqual(["Mia Newname", at(10)]);
    expect(shown(200)).toEqual(["Mia Newname", undefined]);
  });

  it("is what it is now for a time to come", () => {
    const { asOf, stands } = story({ session: [[10, added, lifetime(2_000)]] });
    expect(asOf(5_000)!.record.now).toEqual(at(1_000));
    expect(stands(5_000)).toEqual(["active", undefined, undefined]);
  });

  it("of folded events knows its end only", () => {
    const whole = story({
      session: [
        [10, added, metadata("a")],
        [100, { type: "session.terminated", payload: {} }],
      ],
    });
    const summarized: SessionEvent = { type: "session.summarized", payload: summaryOf(whole.state) };
    const { stands, asOf } = story({ session: [[700, summarized]] });
    expect(stands(9)).toBeUndefined();
    for (const second of [10, 100, 699]) {
      expect(() => asOf(second)).toThrow(expect.objectContaining({ slug: "session.history_folded" }));
    }
    expect(stands(700)).toEqual(["ended", "terminated", 100]);
    expect(asOf(700)!.record.session.metadata).toEqual({ k: "a" });
  });
});
