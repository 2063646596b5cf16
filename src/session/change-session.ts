import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { sessionSettings, settingsInForce } from "../organization/settings/session-settings.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { UserState } from "../user/user.ts";
import { admit } from "./admission.ts";
import {
  type ChallengeAnswers,
  type ChallengeRequests,
  checkChallengeRequests,
  runChallenges,
} from "./challenges/run-challenges.ts";
import { type Checks, runChecks } from "./checks/run-checks.ts";
import type { Verifications } from "./checks/verifications.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { decideLifetime, lifetimeOver } from "./lifetime.ts";
import { type MetadataPatch, patchMetadata } from "./metadata.ts";
import { type SessionState, sessionAggregate } from "./session.ts";

/** What CreateSession and SetSession have in common. */
export type SessionChanges = {
  checks: Checks;
  metadata: MetadataPatch;
  /** Milliseconds; above zero. */
  lifetimeMs?: number;
  challenges: ChallengeRequests;
};

export type ChangedSession = {
  details: Details;
  /** The only valid token from now on; undefined if nothing changed and the old one stays. */
  token?: string;
  challenges: ChallengeAnswers;
};

/**
 * Applies one request to a session: checks, challenges, metadata, lifetime, then a new token, stored as one append.
 * A failed check stores the user's failed attempt, and nothing else. Refused by the limit of sessions per user it
 * stores nothing, as if the checks had not been made: what was typed in is good for another try.
 * @param first events that precede the checks' (`session.added`)
 * @param read when the session was read, and the bulk endings that were running, none of which reaches it; undefined:
 *   it is being created
 * @throws DomainError the first refusal; ConflictError if the session or its user moved on meanwhile
 */
export async function changeSession(
  dependencies: SessionDependencies,
  caller: Caller,
  session: SessionState,
  first: SessionEvent[],
  changes: SessionChanges,
  verifications: Verifications,
  read?: Pick<SessionRecord, "now" | "endings">,
): Promise<ChangedSession> {
  const { events, tokens, instanceId } = dependencies;
  checkChallengeRequests(changes.challenges);
  const checked = await runChecks(dependencies, session, changes.checks, verifications, caller.userId);
  if (checked.failure) {
    await events.append(checked.others);
    throw checked.failure;
  }
  const { user } = checked;
  const settings = checked.settings
    ? settingsInForce(checked.settings)
    : await sessionSettings(dependencies, user?.organizationId);
  const isAdmission = session.userId === null && changes.checks.user !== undefined;
  const others = isAdmission
    ? await admit(
        dependencies,
        { sessionId: session.id, user: user!, others: checked.others, actorId: caller.userId },
        settings.concurrency,
      )
    : checked.others;
  const challengeContext = {
    sessionId: session.id,
    user: user ?? (await loadedUser(dependencies, session, changes.challenges)),
    at: dependencies.clock(),
    actorId: caller.userId,
  };
  const challenged = await runChallenges(dependencies, challengeContext, changes.challenges);

  const metadata = patchMetadata(session.metadata, changes.metadata);
  const effective: SessionEvent[] = [
    ...first,
    ...checked.session,
    ...challenged.session,
    ...(metadata ? [{ type: "session.metadata.set" as const, payload: { metadata } }] : []),
  ];
  const lifetime = decideLifetime(session, changes.lifetimeMs, settings.maxLifetimeMs, read?.now);
  const challenges = challenged.answer;
  if (effective.length === 0 && changes.lifetimeMs === undefined) {
    return { details: detailsOf(session, instanceId), challenges };
  }
  if (lifetime === "over") {
    await events.append([change(sessionAggregate, session, [lifetimeOver], caller.userId)]);
    throw new DomainError("session.expired");
  }
  if (lifetime) effective.push(lifetime);
  if (read === undefined && settings.idleLifetimeMs !== null) {
    effective.push({
      type: "session.idle_lifetime.set",
      payload: { idleLifetime: settings.idleLifetimeMs },
    });
  }

  const { token, digest } = tokens.issue(session.id);
  const spared = read?.endings.length ? { spared: read.endings.map(({ id }) => id) } : {};
  effective.push({ type: "session.token.set", payload: { tokenDigest: digest, ...spared } });
  const sessionChange = change(sessionAggregate, session, effective, caller.userId);
  const appendedAt = await events.append([sessionChange, ...others, ...challenged.others]);
  return { details: detailsOf(sessionChange.state, instanceId, appendedAt), token, challenges };
}

/** Challenges need the session's user, also where no check of the request did. */
async function loadedUser(
  { users }: SessionDependencies,
  { userId }: SessionState,
  challenges: ChallengeRequests,
): Promise<UserState | undefined> {
  return userId !== null && Object.keys(challenges).length > 0 ? users.find(userId) : undefined;
}
