import { change } from "../storage/aggregate.ts";
import { ConflictError } from "../storage/database-errors.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { sessionAggregate, standing } from "./session.ts";

const MAX_STEP_MS = 300_000;
const STEPS_PER_LIFETIME = 20;
/** Every lost race is somebody else's change of the session; after so many the next request will note its own use. */
const MAX_ATTEMPTS = 10;

/**
 * Whether a use of this session is to be noted: only where going unused would end it, and only once a step, so that a
 * session that is used all the time costs a write now and then. What was used less than a step after the last noted use
 * ends up to that much earlier than it would, and never later.
 */
export function isUseDue(record: SessionRecord): boolean {
  const { idleLifetime, lastUsedAt } = record.session;
  if (idleLifetime === null || standing(record) !== "active") return false;
  const step = Math.min(idleLifetime / STEPS_PER_LIFETIME, MAX_STEP_MS);
  return record.now.getTime() - lastUsedAt.getTime() > step;
}

/** Notes that sessions were used by their tokens. */
export class SessionUses {
  readonly #events: SessionDependencies["events"];
  readonly #sessions: SessionDependencies["sessions"];
  readonly #noting = new Map<string, Promise<void>>();

  constructor({ events, sessions }: Pick<SessionDependencies, "events" | "sessions">) {
    this.#events = events;
    this.#sessions = sessions;
  }

  /**
   * Notes a use if it is due; stored when this resolves. Whoever uses the same session here at that moment shares it.
   *
   * A session that is over stays so: neither an ended one nor an expired one takes the event, whatever was read before.
   * Nothing is said about bulk endings: one that reaches the session goes on to, since its end only moves away from
   * when the ending began.
   * @returns the session as it is then; the very record that was given if nothing was due
   */
  async note(record: SessionRecord, actorId: string): Promise<SessionRecord> {
    const { id } = record.session;
    let current = record;
    for (let attempt = 0; attempt < MAX_ATTEMPTS && isUseDue(current); attempt++) {
      await (this.#noting.get(id) ?? this.#begin(current, actorId));
      current = (await this.#sessions.find(id))!;
    }
    return current;
  }

  #begin({ session }: SessionRecord, actorId: string): Promise<void> {
    const used = change(sessionAggregate, session, [{ type: "session.used", payload: {} }], actorId);
    const noting = this.#events
      .append([used])
      .then(() => {})
      .catch((error) => {
        // Somebody changed the session: whether the use is still due is for a fresh look to say.
        if (!(error instanceof ConflictError)) throw error;
      })
      .finally(() => this.#noting.delete(session.id));
    this.#noting.set(session.id, noting);
    return noting;
  }
}
