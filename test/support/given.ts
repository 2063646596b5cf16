import type { Caller } from "../../src/auth/caller.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, type SessionState, sessionAggregate } from "../../src/session/session.ts";
import type { Aggregate, AggregateState, DomainEvent } from "../../src/storage/aggregate.ts";
import type { SessionUser } from "../../src/storage/session-repository.ts";
import { INSTANCE_RESOURCE } from "../../src/storage/tables.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, type UserState, userAggregate } from "../../src/user/user.ts";

/** The moment of the first event; every later one is a second after the one before. */
export const START = new Date("2026-07-10T09:00:00.000Z");

/** A state folded from a history, without a database. */
export function given<S extends AggregateState, E extends DomainEvent>(
  aggregate: Aggregate<S, E>,
  state: S,
  events: readonly E[],
  actorId = "creator",
): S {
  return events.reduce<S>(
    (folded, event) =>
      aggregate.evolve(folded, {
        ...event,
        sequence: folded.sequence + 1,
        createdAt: new Date(START.getTime() + folded.sequence * 1_000),
        actorId,
      }),
    state,
  );
}

export const SESSION_ID = "0197f0a2-c0de-7000-8000-000000000001";

export const givenSession = (...events: SessionEvent[]): SessionState =>
  given(sessionAggregate, initialSession(SESSION_ID), [{ type: "session.added", payload: {} }, ...events]);

export const givenUser = (...events: UserEvent[]): UserState =>
  given(userAggregate, initialUser("mia"), [humanAdded(), ...events]);

export function humanAdded(
  payload: Partial<Extract<UserEvent, { type: "user.human.added" }>["payload"]> = {},
): UserEvent {
  return {
    type: "user.human.added",
    payload: {
      organizationId: "acme",
      userName: "mia@acme.localhost",
      firstName: "Mia",
      lastName: "Example",
      displayName: "Mia Example",
      email: "mia@acme.localhost",
      encodedHash: "hash-1",
      ...payload,
    },
  };
}

/** What a session read shows of its user. */
export const sessionUser = (user: UserState): SessionUser => ({
  status: user.status,
  sessionEpoch: user.sessionEpoch,
  passwordEpoch: user.passwordEpoch,
  loginName: user.username,
  displayName: user.displayName ?? "",
});

/** A caller by roles: `{ instance: ["IAM_OWNER"] }`, `{ acme: ["ORG_OWNER"] }`. */
export function caller(userId: string, roles: Record<string, string[]> = {}, agentId?: string): Caller {
  return {
    userId,
    organizationId: "acme",
    contextOrganizationId: "acme",
    memberships: Object.entries(roles).map(([resource, held]) => ({
      resourceId: resource === "instance" ? INSTANCE_RESOURCE : resource,
      roles: held,
    })),
    ...(agentId === undefined ? {} : { agentId }),
  };
}
