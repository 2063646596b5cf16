import type { SessionFactor } from "../storage/session-filter.ts";
import type { EndReason, Entitlement, SessionUserAgent } from "../storage/tables.ts";
import type { SessionSummary } from "./summary.ts";

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
  /** An identity provider vouched for the user. */
  | { type: "session.intent.checked"; payload: { checkedAt: string; idpId?: string } }
  /** Binary values base64url. `userVerification`: 1 required, 2 preferred, 3 discouraged. */
  | {
      type: "session.webAuthN.challenged";
      payload: {
        challenge: string;
        // The historic spelling is what existing tools read.
        allowedCrentialIDs: string[];
        userVerification: 1 | 2 | 3;
        rpid: string;
        expiresAt: string;
      };
    }
  | {
      type: "session.webAuthN.checked";
      payload: { checkedAt: string; userVerified?: true; credentialId?: string };
    }
  | { type: "session.totp.checked"; payload: { checkedAt: string } }
  /** `code` is encrypted, or null where a provider makes it; then `challengeId` tells this challenge from others. */
  | {
      type: "session.otp.sms.challenged";
      payload: { expiresAt: string; codeReturned: boolean } & (
        | { code: string }
        | { code: null; generatorId: string; challengeId: string }
      );
    }
  /** The message left the house. `verificationId`: the provider's, if it checks the code. */
  | { type: "session.otp.sms.sent"; payload: { verificationId?: string } }
  | { type: "session.otp.sms.checked"; payload: { checkedAt: string } }
  | {
      type: "session.otp.email.challenged";
      payload: { code: string; expiresAt: string; returnCode: boolean; urlTmpl?: string };
    }
  | { type: "session.otp.email.sent"; payload: Record<string, never> }
  | { type: "session.otp.email.checked"; payload: { checkedAt: string } }
  | { type: "session.recoveryCode.checked"; payload: { checkedAt: string } }
  /**
   * Last event of every effective change: from here on only this token counts. `spared`: the bulk endings that were
   * running and did not reach the session, which what it has become can't change any more.
   */
  | { type: "session.token.set"; payload: { tokenDigest: string; spared?: string[] } }
  /** The whole resulting map, values in standard base64. */
  | { type: "session.metadata.set"; payload: { metadata: Record<string, string> } }
  /** The session expires this long after the event, or, where it was cut to what the instance allows, at `endsAt`. */
  | { type: "session.lifetime.set"; payload: { lifetime: number; endsAt?: string } }
  /** The session ends if it goes unused for this long; null: it may. `spared`: as with a new token. */
  | { type: "session.idle_lifetime.set"; payload: { idleLifetime: number | null; spared?: string[] } }
  /** Noted in steps, and only where going unused ends the session. */
  | { type: "session.used"; payload: Record<string, never> }
  /** The user's other sessions were ended; this one goes on, without what the same act made untrue. */
  | { type: "session.kept"; payload: { userEpoch: number; dropped: SessionFactor[] } }
  /** Ended by an act. Without a reason: by DeleteSession. `endedAt`: when it took effect, if that was before this event. */
  | {
      type: "session.terminated";
      payload: { reason?: EndReason; entitlement?: Entitlement; operationId?: string; endedAt?: string };
    }
  /** Ended by time. It is still shown. */
  | { type: "session.expired"; payload: Record<string, never> }
  /** An expired session is shown no longer. */
  | { type: "session.dismissed"; payload: Record<string, never> }
  /** All that is left of an ended session's events. */
  | { type: "session.summarized"; payload: SessionSummary };
