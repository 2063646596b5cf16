import type { Recorded } from "../storage/aggregate.ts";
import type { SessionEvent } from "./events.ts";

/** An event as everybody who may read the session may see it. */
export type ShownEvent = Omit<Recorded, "payload"> & { payload: Record<string, unknown> };

type Payload<T> = Extract<SessionEvent, { type: T }>["payload"];

/** `K` of each member of a union. */
type FieldsOf<P> = P extends unknown ? keyof P : never;

/**
 * What is shown of an event: each field has to be decided on, so that neither an event nor a field is shown because
 * nobody thought of it. Not shown is what opens something or helps to: digests, codes, challenges, and what providers
 * and authenticators are asked with.
 */
const isShown: { [T in SessionEvent["type"]]: { [F in FieldsOf<Payload<T>>]: boolean } } = {
  "session.added": { user_agent: true },
  "session.user.checked": {
    userID: true,
    userResourceOwner: true,
    userEpoch: false,
    checkedAt: true,
    preferredLanguage: true,
  },
  "session.password.checked": { checkedAt: true, passwordEpoch: false },
  "session.intent.checked": { checkedAt: true, idpId: true },
  "session.webAuthN.challenged": {
    challenge: false,
    allowedCrentialIDs: false,
    userVerification: true,
    rpid: true,
    expiresAt: true,
  },
  "session.webAuthN.checked": { checkedAt: true, userVerified: true, credentialId: true },
  "session.totp.checked": { checkedAt: true },
  "session.otp.sms.challenged": {
    code: false,
    expiresAt: true,
    codeReturned: true,
    generatorId: true,
    challengeId: false,
  },
  "session.otp.sms.sent": { verificationId: false },
  "session.otp.sms.checked": { checkedAt: true },
  // Where the code goes in a URL of the caller's, what else is in there is the caller's to know.
  "session.otp.email.challenged": { code: false, expiresAt: true, returnCode: true, urlTmpl: false },
  "session.otp.email.sent": {},
  "session.otp.email.checked": { checkedAt: true },
  "session.recoveryCode.checked": { checkedAt: true },
  "session.token.set": { tokenDigest: false, spared: true },
  "session.metadata.set": { metadata: true },
  "session.lifetime.set": { lifetime: true, endsAt: true },
  "session.idle_lifetime.set": { idleLifetime: true, spared: true },
  "session.used": {},
  "session.kept": { userEpoch: false, dropped: true, spared: true },
  "session.terminated": { reason: true, entitlement: true, operationId: true, endedAt: true },
  "session.expired": {},
  "session.dismissed": {},
  "session.summarized": {
    status: false,
    creatorId: true,
    userId: true,
    userOrganizationId: true,
    userEpoch: false,
    factors: true,
    metadata: true,
    fingerprintId: true,
    userAgent: true,
    tokenDigest: false,
    lifetimeEndsAt: true,
    idleLifetime: true,
    idleEndsAt: true,
    lastUsedAt: true,
    ending: true,
    endedAt: true,
    createdAt: true,
    changedAt: true,
  },
};

export function shown(event: Recorded<SessionEvent>): ShownEvent {
  const { type, payload, sequence, createdAt, actorId } = event;
  const fields: Record<string, boolean> = isShown[type];
  const visible = Object.entries(payload).filter(([field]) => Object.hasOwn(fields, field) && fields[field]);
  return {
    type,
    sequence,
    createdAt,
    actorId,
    payload: { ...Object.fromEntries(visible), ...reasonOf(event) },
  };
}

/** Of an ending, also where the event has none of its own. */
function reasonOf(event: SessionEvent): { reason?: string } {
  if (event.type === "session.terminated") return { reason: event.payload.reason ?? "terminated" };
  return event.type === "session.expired" ? { reason: "expired" } : {};
}
