import { DomainError } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { Concurrency } from "../storage/instance-settings.ts";
import type { SessionRow } from "../storage/tables.ts";
import { type UserState, userAggregate } from "../user/user.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { sessionAggregate } from "./session.ts";

/** A session that is about to get its user. */
export type Admission = {
  sessionId: string;
  /** As the checks left it. */
  user: UserState;
  /** What else the checks have stored; the user's change is among it. */
  others: readonly Change[];
  actorId: string;
};

/** So many sessions end in one append; where more are too many, the rest is ended before. */
const BATCH = 200;

/**
 * Holds a session that gets its user against the limit of live sessions per user. Under a limit the user hears of every
 * admission, so that of two at the same time one loses its race and counts again: the user is loaded before the others
 * are counted.
 * @returns what is to be appended in the place of `others`
 * @throws DomainError `session.limit_reached`; ConflictError if a session to be ended moved on meanwhile
 */
export async function admit(
  { sessions, events }: Pick<SessionDependencies, "sessions" | "events">,
  admission: Admission,
  { maxSessionsPerUser, policy }: Concurrency,
): Promise<readonly Change[]> {
  if (maxSessionsPerUser === 0) return admission.others;
  const { user, actorId } = admission;
  const left = maxSessionsPerUser - 1;
  if (policy === "refuse") {
    const tooMany = await sessions.liveBeyond(user.id, left, 1);
    if (tooMany.length > 0) throw new DomainError("session.limit_reached");
    return withAdmitted(admission);
  }
  for (;;) {
    const tooMany = await sessions.liveBeyond(user.id, left, BATCH);
    const replaced = tooMany.map((session) => replacedBy(session, actorId));
    if (replaced.length < BATCH) return [...withAdmitted(admission), ...replaced];
    // A limit was lowered. The newest of them has to go for the new session only, the others in any case.
    await events.append(replaced.slice(1));
  }
}

function withAdmitted({ sessionId, user, others, actorId }: Admission): Change[] {
  const admitted = change(
    userAggregate,
    user,
    [{ type: "user.session.admitted", payload: { sessionId } }],
    actorId,
  );
  return others.map((other) =>
    other.type === admitted.type && other.id === admitted.id
      ? { ...other, events: [...other.events, ...admitted.events], state: admitted.state }
      : other,
  );
}

function replacedBy(session: SessionRow, actorId: string): Change {
  return change(
    sessionAggregate,
    session,
    [{ type: "session.terminated", payload: { reason: "replaced" } }],
    actorId,
  );
}
