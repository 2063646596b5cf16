import { type Aggregate, evolveBy, type Recorded } from "../../storage/aggregate.ts";
import type { SessionFilter } from "../../storage/session-filter.ts";
import type { EndingRow } from "../../storage/tables.ts";

/** The folded state of a bulk ending; it is its row. */
export type EndingState = EndingRow;

/** Every event of a bulk ending. */
export type EndingEvent =
  /** From here on the active sessions that meet the filter are over. */
  | { type: "ending.started"; payload: { filter: SessionFilter } }
  /** So many more sessions have their event. */
  | { type: "ending.progressed"; payload: { ended: number } }
  /** All of them have. */
  | { type: "ending.completed"; payload: Record<string, never> };

export const endingAggregate: Aggregate<EndingState, EndingEvent> = {
  type: "ending",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    filter: {},
    actorId: "",
    ended: 0,
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: evolveBy(effect),
};

function effect(state: EndingState, event: Recorded<EndingEvent>): Partial<EndingState> {
  switch (event.type) {
    case "ending.started":
      return {
        status: "running",
        filter: event.payload.filter,
        actorId: event.actorId,
        createdAt: event.createdAt,
      };
    case "ending.progressed":
      return { ended: state.ended + event.payload.ended };
    case "ending.completed":
      return { status: "done" };
    default:
      return event satisfies never;
  }
}
