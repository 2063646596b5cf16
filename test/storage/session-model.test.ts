import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import type { SessionDependencies } from "../../src/session/dependencies.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { getSession, listSessions } from "../../src/session/session-queries.ts";
import { setSession } from "../../src/session/set-session.ts";
import { createUser } from "../../src/user/create-user.ts";
import { changeUserState, type StateChange } from "../../src/user/user-state.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { defaultOrganization, type House, human, openHouse, owner } from "../user/house.ts";
import { sessionRooms } from "../user/session-rooms.ts";

type Patch = Record<string, string>;

/** What the outside must see of a session. */
type Model = {
  id: string;
  tokens: string[];
  metadata: Patch;
  user: string | undefined;
  state: "active" | "expired" | "ended";
  sequence: number;
  /** Its time ran out, whatever else ended it later. */
  ranOut: boolean;
};

type Step =
  | { do: "create"; metadata: Patch; user?: string }
  | { do: "set"; nth: number; metadata: Patch; user?: string; expire: boolean }
  | { do: "delete"; nth: number; byToken: boolean }
  | { do: "user"; user: string; act: StateChange };

const PEOPLE = ["ada", "leo"];
const patch = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("", "1", "2"));
const user = fc.option(fc.constantFrom(...PEOPLE), { nil: undefined, freq: 2 });
const nth = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("create" as const), metadata: patch, user }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      nth,
      metadata: patch,
      user,
      expire: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), nth, byToken: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("user" as const),
      user: fc.constantFrom(...PEOPLE),
      act: fc.constantFrom<StateChange>("lock", "unlock", "deactivate", "reactivate"),
    }),
  },
) as fc.Arbitrary<Step>;

const bytes = (values: Patch) =>
  Object.fromEntries(Object.entries(values).map(([key, text]) => [key, new TextEncoder().encode(text)]));
const text = (values: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
const slugOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: { slug?: string }) => error.slug ?? String(error),
  );

describe.each(engines)("any sequence of session commands on %s", (engine) => {
  let house: House;
  let dependencies: SessionDependencies;
  let organizationId: string;
  const stranger = caller("stranger");

  beforeAll(async () => {
    house = await openHouse(engine);
    organizationId = await defaultOrganization(house);
    dependencies = sessionRooms(house);
  });

  afterAll(() => house.close());

  it("shows the outside what a simple model says, and folds to the stored rows", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        round += 1;
        const people = new Map<string, { id: string; status: "active" | "locked" | "inactive" }>();
        for (const name of PEOPLE) {
          const created = await createUser(house, owner, {
            organizationId,
            human: human(`${name}-${engine}-${round}`),
          });
          people.set(name, { id: created.userId, status: "active" });
        }
        const models: Model[] = [];
        for (const each of steps) await take(each, models, people);
        await compare(models);
      }),
      { numRuns: 12 },
    );
  });

  async function take(
    each: Step,
    models: Model[],
    people: Map<string, { id: string; status: "active" | "locked" | "inactive" }>,
  ): Promise<void> {
    if (each.do === "user") return changeState(each, models, people);
    const person = "user" in each && each.user ? people.get(each.user)! : undefined;
    const checks = person ? { user: { userId: person.id } } : {};
    const changes = { checks, challenges: {} };

    if (each.do === "create") {
      const command = { ...changes, metadata: bytes(each.metadata) };
      if (person && person.status !== "active") {
        expect(await slugOf(createSession(dependencies, owner, command))).toBe("session.user_not_active");
        return;
      }
      const { sessionId, token, details } = await createSession(dependencies, owner, command);
      const metadata = merged({}, each.metadata);
      const sequence = 2 + (person ? 1 : 0) + (Object.keys(metadata).length > 0 ? 1 : 0);
      expect(details.sequence).toBe(sequence);
      const user = person?.id;
      models.push({
        id: sessionId,
        tokens: [token],
        metadata,
        user,
        state: "active",
        sequence,
        ranOut: false,
      });
      return;
    }

    const model = models[each.nth];
    if (!model) return;
    if (each.do === "delete") {
      const token = each.byToken ? { token: model.tokens.at(-1)! } : {};
      const details = await deleteSession(dependencies, owner, { sessionId: model.id, ...token });
      // One that a user's lock has ended already still takes its own ending; one whose time ran out, that and the other.
      if (details.sequence > model.sequence) model.sequence += model.ranOut ? 2 : 1;
      model.state = "ended";
      expect(details.sequence).toBe(model.sequence);
      return;
    }

    const result = slugOf(
      setSession(dependencies, owner, {
        ...changes,
        sessionId: model.id,
        token: "",
        metadata: bytes(each.metadata),
        ...(each.expire ? { lifetimeMs: 0.001 } : {}),
      }).then(({ token, details }) => {
        if (token) model.tokens.push(token);
        model.sequence = details.sequence;
      }),
    );
    const refusal =
      model.state === "ended"
        ? "session.terminated"
        : model.state === "expired"
          ? "session.expired"
          : person && person.status !== "active"
            ? "session.user_not_active"
            : person && model.user !== undefined && model.user !== person.id
              ? "session.user_change"
              : "ok";
    expect(await result).toBe(refusal);
    if (refusal !== "ok") return;
    model.metadata = merged(model.metadata, each.metadata);
    model.user ??= person?.id;
    if (each.expire) {
      model.state = "expired";
      model.ranOut = true;
      await pastExpiry(model.id);
    }
  }

  /** The shortest lifetime is a millisecond of the database's clock: read until that is over. */
  async function pastExpiry(id: string): Promise<void> {
    for (;;) {
      const { session, now } = (await dependencies.sessions.find(id))!;
      if (session.expiresAt! < now) return;
    }
  }

  async function changeState(
    { user: name, act }: Extract<Step, { do: "user" }>,
    models: Model[],
    people: Map<string, { id: string; status: "active" | "locked" | "inactive" }>,
  ): Promise<void> {
    const person = people.get(name)!;
    const from = {
      lock: ["active"],
      unlock: ["locked"],
      deactivate: ["active", "locked"],
      reactivate: ["inactive"],
    }[act];
    const outcome = await slugOf(changeUserState(house, owner, act, person.id));
    expect(outcome === "ok").toBe(from.includes(person.status));
    if (outcome !== "ok") return;
    person.status = act === "lock" ? "locked" : act === "deactivate" ? "inactive" : "active";
    if (person.status === "active") return;
    for (const model of models) if (model.user === person.id) model.state = "ended";
  }

  async function compare(models: Model[]): Promise<void> {
    for (const model of models) {
      const { id: sessionId, tokens, state, metadata } = model;
      const read = slugOf(
        getSession(dependencies, owner, { sessionId }).then(({ session }) => {
          expect(text(session.metadata)).toEqual(metadata);
          expect([session.userId ?? undefined, session.sequence]).toEqual([model.user, model.sequence]);
        }),
      );
      expect(await read).toBe(state === "ended" ? "session.not_found" : "ok");
      for (const [index, token] of tokens.entries()) {
        const current = index === tokens.length - 1;
        const byToken = await slugOf(getSession(dependencies, stranger, { sessionId, token }));
        expect(byToken).toBe(
          state === "ended" ? "session.not_found" : current ? "ok" : "session.read_token_invalid",
        );
      }
      const stream = await house.events.readStream("session", sessionId);
      expect(stream.filter(({ type }) => type === "session.terminated").length).toBeLessThanOrEqual(1);
      const stored = (await dependencies.sessions.find(sessionId))!.session;
      expect(stream.reduce(sessionAggregate.evolve as never, initialSession(sessionId))).toEqual(stored);
    }
    const ids = models.map(({ id }) => id);
    const { hits, total } = await listSessions(dependencies, owner, {
      criteria: [{ by: "ids", ids }],
      offset: 0,
      limit: 0,
      ascending: true,
    });
    const alive = models.filter(({ state }) => state !== "ended").map(({ id }) => id);
    expect(hits.map(({ record }) => record.session.id).sort()).toEqual([...alive].sort());
    expect(total).toBe(alive.length);
    expect(
      (
        await listSessions(dependencies, stranger, {
          criteria: [{ by: "ids", ids }],
          offset: 0,
          limit: 0,
          ascending: true,
        })
      ).total,
    ).toBe(0);
  }
});

function merged(before: Patch, wanted: Patch): Patch {
  return Object.fromEntries(Object.entries({ ...before, ...wanted }).filter(([, value]) => value !== ""));
}
