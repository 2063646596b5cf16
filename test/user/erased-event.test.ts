import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { erasedPayload } from "../../src/user/erased-event.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { everyUserEvent } from "../support/every-user-event.ts";
import { given } from "../support/given.ts";

const PERSONAL = "personal";
const every = everyUserEvent("acme", (what) => `${PERSONAL} ${what}`);
const [machineAdded, humanAdded] = ["user.machine.added", "user.human.added"].map(
  (type) => every.find((event) => event.type === type)!,
);
const removed: UserEvent = { type: "user.removed", payload: {} };

const erased = (event: UserEvent) => ({ ...event, payload: erasedPayload(event.payload) }) as UserEvent;
const fold = (events: readonly UserEvent[]) => given(userAggregate, initialUser("mia"), events);

/** Lives as they can be: an app's code is checked only where there is an app. */
const life: fc.Arbitrary<UserEvent[]> = fc
  .tuple(fc.constantFrom(machineAdded!, humanAdded!), fc.shuffledSubarray(every))
  .map(([added, events]) => {
    const later = events.filter(
      ({ type }) => !type.startsWith("user.human.mfa.otp.") && !/\.added$/.test(type),
    );
    return [added, ...later, ...every.filter(({ type }) => type.startsWith("user.human.mfa.otp."))];
  });

describe("the events of a removed user, erased", () => {
  it("hold nothing personal", () => {
    const text = JSON.stringify(every);
    expect(text.split(PERSONAL).length).toBeGreaterThan(40);
    expect(JSON.stringify(every.map(erased))).not.toContain(PERSONAL);
  });

  it("keep what tells how the user's sessions ended, and where the user belonged", () => {
    const kept = every.map(erased).filter(({ type }) => /sessions.ended|human.added/.test(type));
    expect(kept).toMatchObject([
      { payload: { organizationId: "acme" } },
      { payload: { reason: "password_changed", except: "session" } },
    ]);
    const organizationRemoved: UserEvent = { type: "user.removed", payload: { organizationRemoved: true } };
    expect(erased(organizationRemoved)).toEqual(organizationRemoved);
  });

  it("fold to the same user as before, whatever happened", () => {
    fc.assert(
      fc.property(life, (events) => {
        expect(fold([...events.map(erased), removed])).toEqual(fold([...events, removed]));
      }),
    );
  });

  it("fold to the same later user of the id", () => {
    const later = [humanAdded!, ...every.slice(-5)];
    const before = [...every, removed];
    expect(fold([...before.map(erased), ...later])).toEqual(fold([...before, ...later]));
  });
});
