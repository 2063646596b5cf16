import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { SessionUser } from "../storage/session-repository.ts";
import type { SessionChallenges, SessionRow, UserVerification } from "../storage/tables.ts";
import type { SessionEvent } from "./events.ts";

/** The folded state of a session; it is the session's row. */
export type SessionState = SessionRow;

/** A session no event was stored for. */
export function initialSession(id: string): SessionState {
  return {
    id,
    sequence: 0,
    status: "none",
    creatorId: "",
    userId: null,
    userOrganizationId: null,
    userEpoch: null,
    factors: {},
    challenges: {},
    metadata: {},
    fingerprintId: null,
    userAgent: null,
    tokenDigest: null,
    expiresAt: null,
    createdAt: new Date(0),
    changedAt: new Date(0),
  };
}

export const sessionAggregate: Aggregate<SessionState, SessionEvent> = {
  type: "session",
  initialState: initialSession,
  evolve: evolveBy(effect),
};

/**
 * How a session stands right now.
 * - `ended`: by an act, its own or one on its user (lock, deactivation, removal); gone for reads, dead for writes
 * - `expired`: past its lifetime; still readable and listed, no credential and no longer changed
 */
export type Standing = "active" | "expired" | "ended";

/**
 * @param user the session's user as of the same read; null if it has none
 * @param now the database's clock; expired is only what lies strictly before it (spec session-api §14)
 */
export function standing(session: SessionState, user: SessionUser | null, now: Date): Standing {
  if (session.status !== "active") return "ended";
  if (session.userId !== null && session.userEpoch !== user?.sessionEpoch) return "ended";
  return session.expiresAt !== null && session.expiresAt < now ? "expired" : "active";
}

/** When the password was proven, unless the user has a newer password since. */
export function passwordCheckedAt(session: SessionState, user: SessionUser | null): Date | undefined {
  const check = session.factors.password;
  return check && check.epoch === user?.passwordEpoch ? new Date(check.checkedAt) : undefined;
}

function effect(state: SessionState, event: Recorded<SessionEvent>): Partial<SessionState> {
  switch (event.type) {
    case "session.added": {
      const { fingerprint_id, ...userAgent } = event.payload.user_agent ?? {};
      return {
        status: "active",
        creatorId: event.actorId,
        fingerprintId: fingerprint_id ?? null,
        userAgent: event.payload.user_agent ? userAgent : null,
        createdAt: event.createdAt,
      };
    }
    case "session.user.checked": {
      const { userID, userResourceOwner, userEpoch, checkedAt, preferredLanguage } = event.payload;
      return {
        userId: userID,
        userOrganizationId: userResourceOwner,
        userEpoch,
        factors: {
          ...state.factors,
          user: preferredLanguage === undefined ? { checkedAt } : { checkedAt, preferredLanguage },
        },
      };
    }
    case "session.password.checked": {
      const { checkedAt, passwordEpoch } = event.payload;
      return { factors: { ...state.factors, password: { checkedAt, epoch: passwordEpoch } } };
    }
    case "session.intent.checked":
      return proven(state, "intent", event.payload);
    case "session.webAuthN.challenged": {
      const { challenge, allowedCrentialIDs, userVerification, rpid: rpId, expiresAt } = event.payload;
      return opened(state, {
        webAuthN: {
          challenge,
          allowedCredentialIds: allowedCrentialIDs,
          userVerification: userVerifications[userVerification],
          rpId,
          expiresAt,
        },
      });
    }
    case "session.webAuthN.checked": {
      const { checkedAt, userVerified = false } = event.payload;
      return proven(state, "webAuthN", { checkedAt, userVerified });
    }
    case "session.totp.checked":
      return proven(state, "totp", event.payload);
    case "session.otp.sms.challenged": {
      const { codeReturned: _, ...challenge } = event.payload;
      return opened(state, { otpSms: challenge });
    }
    case "session.otp.sms.sent":
      // Late news about a challenge that was answered already is no news.
      return state.challenges.otpSms
        ? opened(state, { otpSms: { ...state.challenges.otpSms, ...event.payload } })
        : {};
    case "session.otp.sms.checked":
      return proven(state, "otpSms", event.payload);
    case "session.otp.email.challenged": {
      const { code, expiresAt } = event.payload;
      return opened(state, { otpEmail: { code, expiresAt } });
    }
    case "session.otp.email.sent":
      return {};
    case "session.otp.email.checked":
      return proven(state, "otpEmail", event.payload);
    case "session.recoveryCode.checked":
      return proven(state, "recoveryCode", event.payload);
    case "session.token.set":
      return { tokenDigest: event.payload.tokenDigest };
    case "session.metadata.set":
      return { metadata: event.payload.metadata };
    case "session.lifetime.set":
      return { expiresAt: new Date(event.createdAt.getTime() + event.payload.lifetime) };
    case "session.terminated":
      return { status: "terminated" };
    default:
      return event satisfies never;
  }
}

/** By their numbers in the events. */
const userVerifications: { readonly [level in 1 | 2 | 3]: UserVerification } = {
  1: "required",
  2: "preferred",
  3: "discouraged",
};

function opened(state: SessionState, challenge: SessionChallenges): Partial<SessionState> {
  return { challenges: { ...state.challenges, ...challenge } };
}

/** A factor was proven, and its challenge, if it has one, is used up. */
function proven<F extends keyof SessionState["factors"]>(
  { factors, challenges }: SessionState,
  factor: F,
  check: NonNullable<SessionState["factors"][F]>,
): Partial<SessionState> {
  const { [factor as keyof SessionChallenges]: _, ...left } = challenges;
  return { factors: { ...factors, [factor]: check }, challenges: left };
}
