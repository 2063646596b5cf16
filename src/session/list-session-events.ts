import type { Caller } from "../auth/caller.ts";
import type { Recorded } from "../storage/aggregate.ts";
import { appliedLimit } from "../storage/page.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { readableSession } from "./read-session.ts";
import { type ShownEvent, shown } from "./shown-event.ts";

export type ListSessionEvents = {
  sessionId: string;
  /** Only later ones. */
  afterSequence: number;
  /** 0: the default of 100. */
  limit: number;
};

/**
 * What happened to a session, oldest first, without secrets. For whoever may read the session.
 * @throws DomainError `auth.permission_denied`, `session.not_found`, `list.limit_exceeded`
 */
export async function listSessionEvents(
  dependencies: Pick<SessionDependencies, "sessions" | "events">,
  caller: Caller,
  { sessionId, afterSequence: after, limit: wanted }: ListSessionEvents,
): Promise<{ events: ShownEvent[]; hasMore: boolean }> {
  await readableSession(dependencies, caller, sessionId);
  const limit = appliedLimit(wanted);
  const page = { after, limit: limit + 1 };
  const events = (await dependencies.events.readStream(
    "session",
    sessionId,
    page,
  )) as Recorded<SessionEvent>[];
  return { events: events.slice(0, limit).map(shown), hasMore: events.length > limit };
}
