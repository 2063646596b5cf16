import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { checkIdleLifetime } from "../organization/settings/change-session-settings.ts";
import { sessionSettings } from "../organization/settings/session-settings.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { decideLifetime, lifetimeOver } from "./lifetime.ts";
import { changeable } from "./permissions.ts";
import { sessionAggregate } from "./session.ts";

/** `idleLifetimeMs`: null: it may go unused. */
export type SetIdleLifetime = { sessionId: string; idleLifetimeMs: number | null };

/**
 * Has a session end from not being used for so long, counted from now on, or takes that back. The token stays. What is
 * so already stays so, without an event.
 * @throws DomainError `session.idle_lifetime_invalid`, and the refusals of SetSession
 */
export function setIdleLifetime(
  dependencies: SessionDependencies,
  caller: Caller,
  { sessionId, idleLifetimeMs: idleLifetime }: SetIdleLifetime,
): Promise<Details> {
  const { events, sessions, instanceId } = dependencies;
  return events.decide(sessionId, async () => {
    const { session, now, endings } = changeable(caller, await sessions.find(sessionId));
    if (idleLifetime !== null) checkIdleLifetime(idleLifetime);
    if (session.idleLifetime === idleLifetime) return detailsOf(session, instanceId);
    const { maxLifetimeMs } = await sessionSettings(dependencies, undefined);
    const lifetime = decideLifetime(session, undefined, maxLifetimeMs, now);
    const spared = endings.length === 0 ? {} : { spared: endings.map(({ id }) => id) };
    const effective: SessionEvent[] =
      lifetime === "over"
        ? [lifetimeOver]
        : [
            ...(lifetime ? [lifetime] : []),
            { type: "session.idle_lifetime.set", payload: { idleLifetime, ...spared } },
          ];
    const changed = change(sessionAggregate, session, effective, caller.userId);
    const appendedAt = await events.append([changed]);
    if (lifetime === "over") throw new DomainError("session.expired");
    return detailsOf(changed.state, instanceId, appendedAt);
  });
}
