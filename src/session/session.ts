import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { SessionFactor } from "../storage/session-filter.ts";
import type { SessionRecord, SessionUser } from "../storage/session-repository.ts";
import type { SessionChallenges, SessionRow, UserVerification } from "../storage/tables.ts";
import { reaches } from "./ending/reach.ts";
import type { SessionEvent } from "./events.ts";
import { restored } from "./summary.ts";

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
    lifetimeEndsAt: null,
    idleLifetime: null,
    idleEndsAt: null,
    expiresAt: null,
    lastUsedAt: new Date(0),
    ending: null,
    endedAt: null,
    spared: null,
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
 * - `ended`: by an act, its own, one on its user or one on many; gone for reads, dead for writes
 * - `expired`: past its lifetime; still readable and listed, no credential and no longer changed
 */
export type Standing = "active" | "expired" | "ended";

/**
 * Everything of one read. Expired is only what lies strictly before its `now` (spec session-api §14).
 * The same in SQL: `storage/session-standing-sql.ts`. The two change together.
 */
export function standing({ session, user, now, endings }: SessionRecord): Standing {
  const { status } = session;
  if (status !== "active" && status !== "expired") return "ended";
  if (session.userId !== null && session.userEpoch !== user?.sessionEpoch) return "ended";
  if (status === "expired") return "expired";
  if (endings.some((ending) => reaches(ending, session))) return "ended";
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
        lastUsedAt: event.createdAt,
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
      const { userVerified = false, ...check } = event.payload;
      return proven(state, "webAuthN", { ...check, userVerified });
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
      return {
        ...used(state, event.createdAt),
        tokenDigest: event.payload.tokenDigest,
        spared: event.payload.spared ?? null,
      };
    case "session.metadata.set":
      return { metadata: event.payload.metadata };
    case "session.lifetime.set": {
      const { lifetime, endsAt } = event.payload;
      const lifetimeEndsAt = endsAt === undefined ? later(event.createdAt, lifetime) : new Date(endsAt);
      return expiring({ ...state, lifetimeEndsAt });
    }
    case "session.idle_lifetime.set": {
      const { idleLifetime, spared = null } = event.payload;
      return { ...used({ ...state, idleLifetime }, event.createdAt), spared };
    }
    case "session.used":
      return used(state, event.createdAt);
    case "session.kept": {
      const { userEpoch, dropped, spared = null } = event.payload;
      const kept = Object.entries(state.factors).filter(
        ([factor]) => !dropped.includes(factor as SessionFactor),
      );
      return { userEpoch, factors: Object.fromEntries(kept), spared };
    }
    case "session.terminated": {
      const { reason = "terminated", endedAt, ...more } = event.payload;
      return {
        ...over,
        status: "terminated",
        ending: { reason, actorId: event.actorId, ...more },
        endedAt: endedAt === undefined ? event.createdAt : new Date(endedAt),
      };
    }
    case "session.expired":
      return {
        ...over,
        status: "expired",
        ending: { reason: "expired", actorId: null },
        endedAt: state.expiresAt,
      };
    case "session.dismissed":
      return { status: "terminated" };
    case "session.summarized":
      return restored(event.payload);
    default:
      return event satisfies never;
  }
}

/** Nothing is waited for any more. */
const over = { challenges: {}, spared: null };

function later(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}

/** The session was used: whatever ends it for not being used begins anew. */
function used(state: SessionState, at: Date): Partial<SessionState> {
  const { idleLifetime } = state;
  const idleEndsAt = idleLifetime === null ? null : later(at, idleLifetime);
  return { ...expiring({ ...state, idleEndsAt }), idleLifetime, idleEndsAt, lastUsedAt: at };
}

/** What the database computes of the row; before the append one of the two may be relative to it and not compare. */
function expiring({ lifetimeEndsAt, idleEndsAt }: SessionState): Partial<SessionState> {
  const ends = [lifetimeEndsAt, idleEndsAt].filter((end) => end !== null);
  const expiresAt = ends.length === 0 ? null : new Date(Math.min(...ends.map((end) => end.getTime())));
  return { lifetimeEndsAt, expiresAt };
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
