import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { type SessionState, sessionAggregate, standing } from "../../src/session/session.ts";
import { isUseDue } from "../../src/session/session-uses.ts";
import { givenSession, START } from "../support/given.ts";

const MINUTE_MS = 60_000;
const moment = (ms: number) => new Date(START.getTime() + ms);
const idle = (idleLifetime: number | null): SessionEvent => ({
  type: "session.idle_lifetime.set",
  payload: { idleLifetime },
});
/** Last used when it got its idle lifetime. */
const sessionOf = (idleLifetime: number | null): SessionState => {
  const session = givenSession();
  return sessionAggregate.evolve(session, {
    ...idle(idleLifetime),
    sequence: 2,
    createdAt: START,
    actorId: "tester",
  });
};
const read = (session: SessionState, now: Date) => ({ session, user: null, now, endings: [] });
const stepOf = (idleLifetime: number) => Math.min(idleLifetime / 20, 5 * MINUTE_MS);

describe("a use of a session", () => {
  it.each([
    [MINUTE_MS, 3_000],
    [20 * MINUTE_MS, MINUTE_MS],
    [100 * MINUTE_MS, 5 * MINUTE_MS],
    [30 * 24 * 60 * MINUTE_MS, 5 * MINUTE_MS],
  ])("is noted once in a step: with an idle lifetime of %d ms after %d ms", (idleLifetime, step) => {
    const session = sessionOf(idleLifetime);
    expect(isUseDue(read(session, moment(step)))).toBe(false);
    expect(isUseDue(read(session, moment(step + 1)))).toBe(true);
  });

  it("is not noted where going unused ends nothing", () => {
    for (const session of [givenSession(), sessionOf(null)]) {
      expect(isUseDue(read(session, moment(1_000_000 * MINUTE_MS)))).toBe(false);
    }
  });

  it("is not noted of a session that is over", () => {
    expect(isUseDue(read(sessionOf(MINUTE_MS), moment(MINUTE_MS)))).toBe(true);
    expect(isUseDue(read(sessionOf(MINUTE_MS), moment(MINUTE_MS + 1)))).toBe(false);
    const ended = sessionAggregate.evolve(sessionOf(MINUTE_MS), {
      type: "session.terminated",
      payload: {},
      sequence: 3,
      createdAt: moment(1_000),
      actorId: "tester",
    });
    expect(isUseDue(read(ended, moment(MINUTE_MS)))).toBe(false);
    const reached = { id: "ending", filter: {}, actorId: "tester", createdAt: moment(1_000) };
    const record = { ...read(sessionOf(MINUTE_MS), moment(MINUTE_MS)), endings: [reached] };
    expect(isUseDue(record)).toBe(false);
  });

  it("keeps a session from its end, which comes a step early at most and never late", () => {
    const idleLifetime = fc.integer({ min: MINUTE_MS, max: 24 * 60 * MINUTE_MS });
    // Pauses in parts of the idle lifetime: some too long, some below the step.
    const pauses = fc.array(fc.double({ min: 0.001, max: 1.1, noNaN: true }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(idleLifetime, pauses, (lifetime, parts) => {
        let session = sessionOf(lifetime);
        let lastUse = 0;
        let writes = 0;
        for (const part of parts) {
          const at = lastUse + Math.ceil(part * lifetime);
          const record = read(session, moment(at));
          const end = session.expiresAt!.getTime() - START.getTime();
          expect(end).toBeLessThanOrEqual(lastUse + lifetime);
          expect(end).toBeGreaterThanOrEqual(lastUse + lifetime - stepOf(lifetime));
          if (standing(record) !== "active") {
            expect(at - lastUse).toBeGreaterThan(lifetime - stepOf(lifetime));
            return;
          }
          lastUse = at;
          if (!isUseDue(record)) continue;
          writes += 1;
          const sequence = session.sequence + 1;
          const used = {
            type: "session.used" as const,
            payload: {},
            sequence,
            createdAt: moment(at),
            actorId: "x",
          };
          session = sessionAggregate.evolve(session, used);
        }
        expect(writes).toBeLessThanOrEqual(lastUse / stepOf(lifetime));
      }),
    );
  });
});
