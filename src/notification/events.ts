/**
 * Every event of a message that leaves the house. The code in `content` is encrypted; `expiresAt` is ISO 8601,
 * `retryAfterMs` milliseconds from the event.
 */
export type NotificationEvent =
  | {
      type: "notification.added";
      payload: {
        channel: "email" | "sms";
        kind: string;
        subject: string;
        recipient: string;
        content: Record<string, unknown>;
        expiresAt: string;
      };
    }
  /** Somebody tries now; if nothing is heard of it, the next may. */
  | { type: "notification.attempted"; payload: { retryAfterMs: number } }
  | { type: "notification.deferred"; payload: { reason: string; retryAfterMs: number } }
  | { type: "notification.sent"; payload: Record<string, never> }
  /** Refused for good. */
  | { type: "notification.failed"; payload: { reason: string } }
  /** Not worth sending any more: expired, or replaced by a newer message. */
  | { type: "notification.dropped"; payload: { reason: string } };
