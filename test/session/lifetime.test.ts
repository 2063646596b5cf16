import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { decideLifetime } from "../../src/session/lifetime.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { given, givenSession, SESSION_ID, START } from "../support/given.ts";

const HOUR_MS = 3_600_000;
const lifetimeSet = (payload: { lifetime: number; endsAt?: string }): SessionEvent => ({
  type: "session.lifetime.set",
  payload,
});
const moment = (ms: number) => new Date(START.getTime() + ms);
const unborn = initialSession(SESSION_ID);

describe("the lifetime of a new session", () => {
  it.each<[string, number | undefined, number | null, number | undefined]>([
    ["is what was asked for, without a limit", 2 * HOUR_MS, null, 2 * HOUR_MS],
    ["is none if none was asked for, without a limit", undefined, null, undefined],
    ["is the limit if none was asked for", undefined, HOUR_MS, HOUR_MS],
    ["is the limit if more was asked for", 2 * HOUR_MS, HOUR_MS, HOUR_MS],
    ["is what was asked for, if that is less", 1_000, HOUR_MS, 1_000],
    ["is a millisecond at least", 0.001, HOUR_MS, 1],
  ])("%s", (_, requested, max, lifetime) => {
    expect(decideLifetime(unborn, requested, max, undefined)).toEqual(
      lifetime === undefined ? undefined : lifetimeSet({ lifetime }),
    );
  });

  it.each([0, -1, Number.NaN])("is never %d", (requested) => {
    for (const max of [null, HOUR_MS]) {
      expect(() => decideLifetime(unborn, requested, max, undefined)).toThrow("lifetime must be positive");
    }
  });
});

describe("a change of a session", () => {
  const endless = givenSession();
  const short = givenSession(lifetimeSet({ lifetime: 1_000 }));
  const now = moment(HOUR_MS / 4);

  it("leaves a lifetime alone that is within the limit, or without one", () => {
    expect(decideLifetime(short, undefined, HOUR_MS, now)).toBeUndefined();
    expect(decideLifetime(endless, undefined, null, now)).toBeUndefined();
  });

  it("cuts a lifetime to what is left of the limit, to the millisecond", () => {
    const left = lifetimeSet({ lifetime: (3 * HOUR_MS) / 4, endsAt: moment(HOUR_MS).toISOString() });
    expect(decideLifetime(endless, undefined, HOUR_MS, now)).toEqual(left);
    expect(decideLifetime(endless, HOUR_MS, HOUR_MS, now)).toEqual(left);
    expect(decideLifetime(short, (3 * HOUR_MS) / 4, HOUR_MS, now)).toEqual(left);
    expect(decideLifetime(short, 5_000, HOUR_MS, now)).toEqual(lifetimeSet({ lifetime: 5_000 }));
  });

  it("finds a session over that the limit allows no longer, unless it ends in time by itself", () => {
    for (const requested of [undefined, 1]) {
      expect(decideLifetime(endless, requested, HOUR_MS, moment(HOUR_MS))).toBe("over");
    }
    expect(decideLifetime(endless, undefined, HOUR_MS, moment(HOUR_MS - 1))).toMatchObject({
      payload: { lifetime: 1 },
    });
    expect(decideLifetime(short, undefined, HOUR_MS, moment(2 * HOUR_MS))).toBeUndefined();
  });

  it("never has a session end later than the limit allows, whatever is asked for and whenever", () => {
    const milliseconds = fc.integer({ min: 1, max: 10 * HOUR_MS });
    const change = fc.record({ requested: fc.option(milliseconds, { nil: undefined }), at: milliseconds });
    fc.assert(
      fc.property(milliseconds, fc.array(change, { maxLength: 5 }), (max, changes) => {
        const latest = moment(max);
        const first = decideLifetime(unborn, undefined, null, undefined);
        expect(first).toBeUndefined();
        let session = given(sessionAggregate, unborn, [{ type: "session.added", payload: {} }]);
        for (const { requested, at } of changes.sort((a, b) => a.at - b.at)) {
          const event = decideLifetime(session, requested, max, moment(at));
          if (event === "over") {
            expect(at).toBeGreaterThanOrEqual(max);
            return;
          }
          if (event) {
            const recorded = {
              ...event,
              sequence: session.sequence + 1,
              createdAt: moment(at),
              actorId: "x",
            };
            session = sessionAggregate.evolve(session, recorded);
          }
          expect(session.expiresAt!.getTime()).toBeLessThanOrEqual(latest.getTime());
          if (requested !== undefined && at + requested < max) {
            expect(session.expiresAt).toEqual(moment(at + requested));
          }
        }
      }),
    );
  });
});
