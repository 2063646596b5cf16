import type { SessionState } from "./session.ts";

/**
 * An ended session of a user whose data is erased. What it was begun with and what was noted with it goes; whose it was,
 * by what factors, when and how it ended stays.
 */
export function erasedSession(session: SessionState): SessionState {
  const { user, ...factors } = session.factors;
  return {
    ...session,
    userAgent: null,
    fingerprintId: null,
    metadata: {},
    factors: user ? { ...factors, user: { checkedAt: user.checkedAt } } : factors,
  };
}
