import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { NotificationRow } from "../storage/tables.ts";
import type { NotificationEvent } from "./events.ts";

/** The folded state of a message; it is its row. */
export type NotificationState = NotificationRow;

export const notificationAggregate: Aggregate<NotificationState, NotificationEvent> = {
  type: "notification",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    channel: "email",
    kind: "",
    subject: "",
    recipient: "",
    content: {},
    attempts: 0,
    nextAttemptAt: null,
    expiresAt: null,
    reason: null,
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: evolveBy(effect),
};

function effect(state: NotificationState, event: Recorded<NotificationEvent>): Partial<NotificationState> {
  const after = (milliseconds: number) => new Date(event.createdAt.getTime() + milliseconds);
  switch (event.type) {
    case "notification.added": {
      const { expiresAt, ...message } = event.payload;
      return {
        ...message,
        status: "pending",
        nextAttemptAt: event.createdAt,
        expiresAt: new Date(expiresAt),
        createdAt: event.createdAt,
      };
    }
    case "notification.attempted":
      return { attempts: state.attempts + 1, nextAttemptAt: after(event.payload.retryAfterMs) };
    case "notification.deferred":
      return { reason: event.payload.reason, nextAttemptAt: after(event.payload.retryAfterMs) };
    case "notification.sent":
      return { status: "sent", nextAttemptAt: null, reason: null };
    case "notification.failed":
      return { status: "failed", nextAttemptAt: null, reason: event.payload.reason };
    case "notification.dropped":
      return { status: "dropped", nextAttemptAt: null, reason: event.payload.reason };
    default:
      return event satisfies never;
  }
}
