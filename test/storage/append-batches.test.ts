import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { projections } from "../../src/projections/projections.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, type SessionState, sessionAggregate } from "../../src/session/session.ts";
import { type Change, change } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { ConflictError } from "../../src/storage/database-errors.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { expectRowsToMatchTheLog } from "../support/test-server.ts";

/** What a unit does to the nth session; no events: it guards it. */
type Part = { nth: number; events: SessionEvent[]; isOutdated: boolean };

const SESSIONS = 6;
/** The last one's lifetime is over: it can be ended only. */
const EXPIRED = SESSIONS - 1;

const tokenSet = { type: "session.token.set", payload: { tokenDigest: "next" } } as const;
const event: fc.Arbitrary<SessionEvent> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constant(tokenSet),
  },
  fc.record({
    type: fc.constant("session.metadata.set" as const),
    payload: fc.record({ metadata: fc.dictionary(fc.constantFrom("a", "b"), fc.base64String()) }),
  }),
  fc.record({
    type: fc.constant("session.lifetime.set" as const),
    payload: fc.record({ lifetime: fc.integer({ min: 60_000, max: 2 ** 48 }) }),
  }),
  fc.record({
    type: fc.constant("session.user.checked" as const),
    payload: fc.record({
      userID: fc.constantFrom("ada", "leo"),
      userResourceOwner: fc.constant("org"),
      userEpoch: fc.nat(3),
      checkedAt: fc.constant("2026-07-10T10:00:00.000Z"),
    }),
  }),
  fc.constant({ type: "session.terminated", payload: {} } as const),
);

const part: fc.Arbitrary<Part> = fc.record({
  nth: fc.nat(SESSIONS - 1),
  events: fc.oneof(
    { weight: 6, arbitrary: fc.array(event, { minLength: 1, maxLength: 3 }) },
    fc.constant([] as SessionEvent[]),
  ),
  isOutdated: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const unit = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(part) },
  fc.uniqueArray(part, { minLength: 1, maxLength: 3, selector: ({ nth }) => nth }),
);
/** Mostly what busy servers send: one change each. */
const units = fc.oneof(
  fc.array(fc.tuple(part), { minLength: 2, maxLength: 8 }),
  fc.array(unit, { minLength: 1, maxLength: 8 }),
);

describe.each(engines)("units written together on %s", (engine) => {
  let database: TestDatabase;
  let opened: OpenDatabase;
  let events: EventRepository;
  let sessions: SessionRepository;

  beforeAll(async () => {
    database = await createTestDatabase(engine);
    opened = await database.open();
    events = new EventRepository(opened.db, projections, { lanes: 1 });
    sessions = new SessionRepository(opened.db);
  });

  afterAll(async () => {
    await opened.close();
    await expectRowsToMatchTheLog(database);
    await database.remove();
  });

  const lifetimeOver: SessionEvent = {
    type: "session.lifetime.set",
    payload: { lifetime: 1, endsAt: "2020-01-01T00:00:00.000Z" },
  };
  const someSessions = async (): Promise<SessionState[]> => {
    const ids = Array.from({ length: SESSIONS }, () => uuidV7());
    const added: SessionEvent = { type: "session.added", payload: {} };
    const begin = (id: string, nth: number) =>
      change(
        sessionAggregate,
        initialSession(id),
        nth === EXPIRED ? [added, lifetimeOver] : [added],
        "tester",
      );
    await Promise.all(ids.map((id, nth) => events.append([begin(id, nth)])));
    return Promise.all(ids.map(async (id) => (await sessions.find(id))!.session));
  };
  const changes = (states: SessionState[], parts: readonly Part[]): Change[] =>
    parts.map(({ nth, events: some, isOutdated }) => {
      const state = isOutdated ? { ...states[nth]!, sequence: 7 } : states[nth]!;
      return change(sessionAggregate, state, some, "tester");
    });
  const append = (unit: Change[]) =>
    events.append(unit).then(
      () => "stored",
      (error) => (error instanceof ConflictError ? "refused" : Promise.reject(error)),
    );
  const streams = (states: SessionState[]) =>
    Promise.all(
      states.map(async ({ id }) =>
        (await events.readStream("session", id)).map(({ type, payload, sequence }) => [
          sequence,
          type,
          payload,
        ]),
      ),
    );

  it("get the time of their own append, also on a state that was carried on from another", async () => {
    const created = await someSessions();
    const next = (state: SessionState) => change(sessionAggregate, state, [tokenSet], "tester");
    const carried = created.slice(0, 2).map(next);
    const [first] = await Promise.all(carried.map((each) => events.append([each])));
    let last = first!;
    let states = carried.map(({ state }) => state);
    while (last.getTime() === first!.getTime()) {
      const further = states.map(next);
      [last] = (await Promise.all(further.map((each) => events.append([each])))) as [Date];
      states = further.map(({ state }) => state);
    }
    expect((await sessions.find(created[0]!.id))!.session).toMatchObject({
      changedAt: last,
      lastUsedAt: last,
    });
  });

  it("become what they become one by one", async () => {
    await fc.assert(
      fc.asyncProperty(units, async (all) => {
        const [together, apart] = [await someSessions(), await someSessions()];
        const outcomes = await Promise.all(all.map((parts) => append(changes(together, parts))));
        const expected: string[] = [];
        for (const parts of all) expected.push(await append(changes(apart, parts)));
        expect(outcomes).toEqual(expected);
        expect(await streams(together)).toEqual(await streams(apart));
      }),
      { numRuns: 30 },
    );
  });
});
