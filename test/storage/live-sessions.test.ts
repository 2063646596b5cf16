import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { endSessions } from "../../src/session/end-sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, sessionAggregate, standing } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import { createUser } from "../../src/user/create-user.ts";
import { openRooms, type Rooms } from "../session/rooms.ts";
import { engines } from "../support/databases.ts";
import { defaultOrganization, human, owner } from "../user/house.ts";

/** What may have become of a session. */
const fates = {
  live: [],
  "live for a while": [{ type: "session.lifetime.set", payload: { lifetime: 3_600_000 } }],
  expired: [{ type: "session.lifetime.set", payload: { lifetime: 0, endsAt: "2026-01-01T00:00:00.000Z" } }],
  "expired, and written down": [
    { type: "session.lifetime.set", payload: { lifetime: 0, endsAt: "2026-01-01T00:00:00.000Z" } },
    { type: "session.expired", payload: {} },
  ],
  ended: [{ type: "session.terminated", payload: {} }],
} as const satisfies Record<string, readonly SessionEvent[]>;

const session = fc.record({
  fate: fc.constantFrom(...(Object.keys(fates) as (keyof typeof fates)[])),
  /** It is one of the user's, on the user's epoch of now. */
  isCurrent: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  isReached: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
});

describe.each(engines)("the live sessions of a user on %s", (engine) => {
  let rooms: Rooms;
  let organizationId: string;
  beforeAll(async () => {
    rooms = await openRooms(engine);
    organizationId = await defaultOrganization(rooms);
  });
  afterAll(() => rooms.close());

  const userChecked = (userID: string, userEpoch: number): SessionEvent => ({
    type: "session.user.checked",
    payload: { userID, userResourceOwner: organizationId, userEpoch, checkedAt: "2026-07-10T09:00:00.000Z" },
  });

  it("are those that stand so, the newest first, beyond as many as are passed over", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(session, { maxLength: 10 }),
        fc.nat(4),
        fc.integer({ min: 1, max: 5 }),
        async (sessions, keep, limit) => {
          round += 1;
          const [userId, other] = [`mia-${round}`, `leo-${round}`];
          for (const name of [userId, other]) {
            await createUser(rooms, owner, { organizationId, human: human(name) });
          }
          const ids: string[] = [];
          const reached: string[] = [];
          for (const { fate, isCurrent, isReached } of sessions) {
            const id = uuidV7();
            const [whose, epoch] = isCurrent ? [userId, 0] : ids.length % 2 === 0 ? [userId, -1] : [other, 0];
            const events = [
              { type: "session.added" as const, payload: {} },
              userChecked(whose, epoch),
              ...fates[fate],
            ];
            await rooms.events.append([change(sessionAggregate, initialSession(id), events, "tester")]);
            ids.push(id);
            if (isReached) reached.push(id);
          }
          // The rooms have no background, so it goes on running.
          if (reached.length > 0) {
            await endSessions(rooms, owner, { filter: { ids: reached }, all: false });
          }
          const records = await Promise.all(ids.map((id) => rooms.sessions.find(id)));
          const live = records
            .filter((record) => record!.session.userId === userId && standing(record!) === "active")
            .map((record) => record!.session)
            .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1));
          expect(await rooms.sessions.liveBeyond(userId, 0, 1_000)).toEqual(live);
          expect(await rooms.sessions.liveBeyond(userId, keep, limit)).toEqual(
            live.slice(keep, keep + limit),
          );
        },
      ),
      { numRuns: 25 },
    );
  });
});
