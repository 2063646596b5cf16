/** A past fact about one aggregate. Payloads are JSON and hold no secret in the clear. */
export type DomainEvent = { type: string; payload: object };

/** An event as the log holds it. `createdAt` is the database's time of the append, in whole milliseconds. */
export type Recorded<E extends DomainEvent = DomainEvent> = E & {
  sequence: number;
  createdAt: Date;
  actorId: string;
};

export type AggregateType =
  | "session"
  | "ending"
  | "user"
  | "idp"
  | "idpintent"
  | "notification"
  | "org"
  | "instance";

/** What every folded state has: its id and the sequence of the last event in it (0 = nothing happened yet). */
export type AggregateState = { id: string; sequence: number };

/** The pure half of an aggregate: where it starts and what each event does to it. No I/O in either. */
export type Aggregate<S extends AggregateState, E extends DomainEvent> = {
  type: AggregateType;
  initialState(id: string): S;
  evolve(state: S, event: Recorded<E>): S;
};

/**
 * The fold of an aggregate whose state says when it last changed.
 * @param effect what an event changes beside that time and the sequence
 */
export function evolveBy<S extends AggregateState & { changedAt: Date }, E extends DomainEvent>(
  effect: (state: S, event: Recorded<E>) => Partial<S>,
): Aggregate<S, E>["evolve"] {
  return (state, event) => {
    const next = { ...state, sequence: event.sequence, changedAt: event.createdAt };
    return { ...next, ...effect(next, event) };
  };
}

/**
 * Stands for "the moment of the append" in a state that is folded before it is stored: only the database knows that
 * moment, and only inside the appending statement. A time at or after this one is an offset from it, so
 * `expiresAt = createdAt + lifetime` folds to the same row now and in a replay. It lies in the year 128,723, beyond
 * every time a client can name (protobuf timestamps end with the year 9999).
 */
export const APPEND_TIME = new Date(4e15);

/** A time folded before the append, as it became: relative to `appendedAt` if it was relative to {@link APPEND_TIME}. */
export function settled(time: Date, appendedAt: Date): Date {
  const offset = time.getTime() - APPEND_TIME.getTime();
  return offset < 0 ? time : new Date(appendedAt.getTime() + offset);
}

/** New events of one aggregate, at the sequence its state was loaded with. No events: a guard on that sequence. */
export type Change = {
  type: AggregateType;
  id: string;
  expectedSequence: number;
  /** The whole stored row as it was loaded: what the state after the events shares with it is not written again. */
  before?: AggregateState;
  events: Recorded[];
  /** The state after the events; becomes the aggregate's row in the appending statement. */
  state: AggregateState;
};

/** Folds `events` over `state` and says what is to be appended. */
export function change<S extends AggregateState, E extends DomainEvent>(
  aggregate: Aggregate<S, E>,
  state: S,
  events: readonly E[],
  actorId: string,
): Change & { state: S } {
  const recorded = events.map((event, index) => ({
    ...event,
    sequence: state.sequence + index + 1,
    createdAt: APPEND_TIME,
    actorId,
  }));
  return {
    type: aggregate.type,
    id: state.id,
    expectedSequence: state.sequence,
    before: state,
    events: recorded,
    state: recorded.reduce<S>(aggregate.evolve, state),
  };
}
