import type { SessionUserAgent } from "../storage/tables.ts";

/**
 * Every event of a session, under the names existing tools know. `checkedAt` is ISO 8601 by the application's clock,
 * `lifetime` milliseconds. No token is in here, only digests.
 */
export type SessionEvent =
  /** Always first. */
  | { type: "session.added"; payload: { user_agent?: { fingerprint_id?: string } & SessionUserAgent } }
  /** Which user this session is about; proves nothing by itself. `userEpoch`: see the session's row. */
  | {
      type: "session.user.checked";
      payload: {
        userID: string;
        userResourceOwner: string;
        userEpoch: number;
        checkedAt: string;
        preferredLanguage?: string;
      };
    }
  /** The password was right. `passwordEpoch`: which of the user's passwords it was. */
  | { type: "session.password.checked"; payload: { checkedAt: string; passwordEpoch: number } }
  /** Last event of every effective change: from here on only this token counts. */
  | { type: "session.token.set"; payload: { tokenDigest: string } }
  /** The whole resulting map, values in standard base64. */
  | { type: "session.metadata.set"; payload: { metadata: Record<string, string> } }
  /** The session expires this long after the event. */
  | { type: "session.lifetime.set"; payload: { lifetime: number } }
  | { type: "session.terminated"; payload: Record<string, never> };
