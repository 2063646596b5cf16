import type { SessionRow } from "../storage/tables.ts";

/** The folded state of an ended session as JSON: times are ISO 8601. Challenges and keys that open nothing any more are left out. */
export type SessionSummary = Omit<
  SessionRow,
  "id" | "sequence" | "expiresAt" | "challenges" | "spared" | TimeField
> & { [field in TimeField]: string | null };

type TimeField = "createdAt" | "changedAt" | "lastUsedAt" | "lifetimeEndsAt" | "idleEndsAt" | "endedAt";

/** @returns the summary of an ended session: folding it alone gives the same row as its events did */
export function summaryOf(session: SessionRow): SessionSummary {
  const { id: _, sequence: __, expiresAt: ___, challenges: ____, spared: _____, ...state } = session;
  return {
    ...state,
    createdAt: session.createdAt.toISOString(),
    changedAt: session.changedAt.toISOString(),
    lastUsedAt: session.lastUsedAt.toISOString(),
    lifetimeEndsAt: session.lifetimeEndsAt?.toISOString() ?? null,
    idleEndsAt: session.idleEndsAt?.toISOString() ?? null,
    endedAt: session.endedAt?.toISOString() ?? null,
  };
}

/** What a summary says of the session's state. */
export function restored(summary: SessionSummary): Partial<SessionRow> {
  const time = (text: string | null) => (text === null ? null : new Date(text));
  const [lifetimeEndsAt, idleEndsAt] = [time(summary.lifetimeEndsAt), time(summary.idleEndsAt)];
  return {
    ...summary,
    createdAt: new Date(summary.createdAt!),
    changedAt: new Date(summary.changedAt!),
    lastUsedAt: new Date(summary.lastUsedAt!),
    lifetimeEndsAt,
    idleEndsAt,
    endedAt: time(summary.endedAt),
  };
}
