import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, type SessionState, sessionAggregate } from "../../src/session/session.ts";
import { summaryOf } from "../../src/session/summary.ts";
import type { Recorded } from "../../src/storage/aggregate.ts";
import { given, SESSION_ID, START } from "../support/given.ts";

const checkedAt = "2026-07-10T09:00:00.000Z";
const expiresAt = "2026-07-10T10:00:00.000Z";

/** What can happen to a session between its beginning and its end. */
const change: fc.Arbitrary<SessionEvent> = fc.oneof(
  fc
    .record({ userID: fc.string(), userEpoch: fc.nat(3), preferredLanguage: fc.constantFrom("de", "en") })
    .map(
      (payload): SessionEvent => ({
        type: "session.user.checked",
        payload: { ...payload, userResourceOwner: "home", checkedAt },
      }),
    ),
  fc.nat(3).map(
    (passwordEpoch): SessionEvent => ({
      type: "session.password.checked",
      payload: { checkedAt, passwordEpoch },
    }),
  ),
  fc.constantFrom<SessionEvent>(
    { type: "session.totp.checked", payload: { checkedAt } },
    { type: "session.intent.checked", payload: { checkedAt, idpId: "idp" } },
    { type: "session.webAuthN.checked", payload: { checkedAt, userVerified: true, credentialId: "key" } },
    { type: "session.recoveryCode.checked", payload: { checkedAt } },
    {
      type: "session.webAuthN.challenged",
      payload: { challenge: "c", allowedCrentialIDs: [], userVerification: 1, rpid: "localhost", expiresAt },
    },
    { type: "session.otp.email.challenged", payload: { code: "sealed", expiresAt, returnCode: true } },
    { type: "session.otp.sms.challenged", payload: { code: "sealed", expiresAt, codeReturned: false } },
    { type: "session.otp.sms.sent", payload: {} },
    { type: "session.token.set", payload: { tokenDigest: "digest", spared: ["ending"] } },
    { type: "session.used", payload: {} },
    { type: "session.kept", payload: { userEpoch: 2, dropped: ["password"] } },
    { type: "session.idle_lifetime.set", payload: { idleLifetime: null } },
  ),
  fc
    .dictionary(fc.string(), fc.base64String())
    .map((metadata): SessionEvent => ({ type: "session.metadata.set", payload: { metadata } })),
  fc
    .nat(100_000)
    .map((lifetime): SessionEvent => ({ type: "session.lifetime.set", payload: { lifetime: lifetime + 1 } })),
  fc.nat(100_000).map(
    (idleLifetime): SessionEvent => ({
      type: "session.idle_lifetime.set",
      payload: { idleLifetime: idleLifetime + 1 },
    }),
  ),
);

const added = fc
  .option(
    fc.record({ fingerprint_id: fc.string(), ip: fc.ipV4(), description: fc.string() }, { requiredKeys: [] }),
  )
  .map((user_agent): SessionEvent => ({ type: "session.added", payload: user_agent ? { user_agent } : {} }));

const terminated: fc.Arbitrary<SessionEvent> = fc
  .record(
    {
      reason: fc.constantFrom("user_locked" as const, "ended_by_filter" as const),
      entitlement: fc.constantFrom("own" as const, "token" as const),
      operationId: fc.uuid(),
      endedAt: fc.constant(checkedAt),
    },
    { requiredKeys: [] },
  )
  .map((payload) => ({ type: "session.terminated", payload }));

const expired: SessionEvent[] = [
  { type: "session.lifetime.set", payload: { lifetime: 1_000 } },
  { type: "session.expired", payload: {} },
];
const dismissed: SessionEvent = { type: "session.dismissed", payload: {} };

const history: fc.Arbitrary<SessionEvent[]> = fc
  .tuple(
    added,
    fc.array(change, { maxLength: 12 }),
    fc.oneof(
      terminated.map((event) => [event]),
      fc.constantFrom(expired, [...expired, dismissed]),
    ),
  )
  .map(([first, changes, last]) => [first, ...changes, ...last]);

const fold = (events: readonly SessionEvent[]) => given(sessionAggregate, initialSession(SESSION_ID), events);

/** The fold of the one event that is left of a session, as the database would give it back. */
function foldOfSummary(session: SessionState): SessionState {
  const event: Recorded<SessionEvent> = {
    type: "session.summarized",
    payload: JSON.parse(JSON.stringify(summaryOf(session))),
    sequence: session.sequence,
    createdAt: new Date(START.getTime() + (session.sequence - 1) * 1_000),
    actorId: "creator",
  };
  return sessionAggregate.evolve(initialSession(SESSION_ID), event);
}

/** The database computes the earlier of the two ends. */
const stored = ({ expiresAt: _, ...row }: SessionState) => row;

describe("the summary of an ended session", () => {
  it("folds to the same row as its events", () => {
    fc.assert(
      fc.property(history, (events) => {
        const session = fold(events);
        expect(stored(foldOfSummary(session))).toEqual(stored(session));
      }),
    );
  });

  it("can be followed by what may still happen to it", () => {
    fc.assert(
      fc.property(added, fc.array(change, { maxLength: 12 }), (first, changes) => {
        const events = [first, ...changes, ...expired];
        const whole = fold([...events, dismissed]);
        const summarized = foldOfSummary(fold(events));
        const after = sessionAggregate.evolve(summarized, {
          ...(dismissed as Extract<SessionEvent, { type: "session.dismissed" }>),
          sequence: whole.sequence,
          createdAt: whole.changedAt,
          actorId: "creator",
        });
        expect(stored(after)).toEqual(stored(whole));
      }),
    );
  });
});
