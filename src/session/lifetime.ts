import { DomainError } from "../errors.ts";
import type { SessionEvent } from "./events.ts";
import type { SessionState } from "./session.ts";

/** About 292 years: what existing servers can hold (nanoseconds in 63 bits). Longer lifetimes become this one. */
const MAX_LIFETIME_MS = 2 ** 63 / 1e6;

/**
 * What a change of a session does to its lifetime. No session lives longer than the instance allows, counted from its
 * creation: one that would is cut to that by its next change, whatever the change is about.
 * @param requestedMs undefined: the change does not speak of it
 * @param maxLifetimeMs of the instance's settings; null: no limit
 * @param now the database's clock when the session was read; undefined: it is being created
 * @returns the event; undefined: the lifetime stays as it is; `over`: the instance allows none any more
 * @throws DomainError `session.lifetime_not_positive`
 */
export function decideLifetime(
  session: SessionState,
  requestedMs: number | undefined,
  maxLifetimeMs: number | null,
  now: Date | undefined,
): SessionEvent | "over" | undefined {
  if (requestedMs !== undefined && !(requestedMs > 0)) throw new DomainError("session.lifetime_not_positive");
  const requested = requestedMs === undefined ? undefined : Math.ceil(Math.min(requestedMs, MAX_LIFETIME_MS));
  if (maxLifetimeMs === null)
    return requested === undefined ? undefined : lifetimeSet({ lifetime: requested });
  if (now === undefined)
    return lifetimeSet({ lifetime: Math.min(requested ?? maxLifetimeMs, maxLifetimeMs) });

  const latest = new Date(session.createdAt.getTime() + maxLifetimeMs);
  const left = latest.getTime() - now.getTime();
  const { lifetimeEndsAt } = session;
  if (requested === undefined && lifetimeEndsAt !== null && lifetimeEndsAt <= latest) return undefined;
  if (left <= 0) return "over";
  if (requested !== undefined && requested < left) return lifetimeSet({ lifetime: requested });
  // Said as a time: counted from the append, what is left would be what was left at the read.
  return lifetimeSet({ lifetime: left, endsAt: latest.toISOString() });
}

/** The end of a lifetime the instance allows no longer: with the append. */
export const lifetimeOver: SessionEvent = { type: "session.lifetime.set", payload: { lifetime: 0 } };

function lifetimeSet(payload: { lifetime: number; endsAt?: string }): SessionEvent {
  return { type: "session.lifetime.set", payload };
}
