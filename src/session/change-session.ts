import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { RunningEnding } from "../storage/session-repository.ts";
import type { UserState } from "../user/user.ts";
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

/** About 292 years: what existing servers can hold (nanoseconds in 63 bits). Longer lifetimes become this one. */
const MAX_LIFETIME_MS = 2 ** 63 / 1e6;

/**
 * Applies one request to a session: checks, challenges, metadata, lifetime, then a new token, stored as one append.
 * A failed check stores the user's failed attempt, and nothing else.
 * @param first events that precede the checks' (`session.added`)
 * @param endings the running bulk endings, none of which reaches the session
 * @throws DomainError the first refusal; ConflictError if the session or its user moved on meanwhile
 */
export async function changeSession(
  dependencies: SessionDependencies,
  caller: Caller,
  session: SessionState,
  first: SessionEvent[],
  changes: SessionChanges,
  verifications: Verifications,
  endings: readonly RunningEnding[] = [],
): Promise<ChangedSession> {
  const { events, tokens, instanceId } = dependencies;
  checkChallengeRequests(changes.challenges);
  const checked = await runChecks(dependencies, session, changes.checks, verifications, caller.userId);
  if (checked.failure) {
    await events.append(checked.others);
    throw checked.failure;
  }
  const { user } = checked;
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
    ...lifetimeEvents(changes.lifetimeMs),
  ];
  const challenges = challenged.answer;
  if (effective.length === 0) return { details: detailsOf(session, instanceId), challenges };

  const { token, digest } = tokens.issue(session.id);
  const spared = endings.length === 0 ? {} : { spared: endings.map(({ id }) => id) };
  effective.push({ type: "session.token.set", payload: { tokenDigest: digest, ...spared } });
  const sessionChange = change(sessionAggregate, session, effective, caller.userId);
  const appendedAt = await events.append([sessionChange, ...checked.others, ...challenged.others]);
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

function lifetimeEvents(lifetimeMs: number | undefined): SessionEvent[] {
  if (lifetimeMs === undefined) return [];
  if (!(lifetimeMs > 0)) throw new DomainError("session.lifetime_not_positive");
  return [
    { type: "session.lifetime.set", payload: { lifetime: Math.ceil(Math.min(lifetimeMs, MAX_LIFETIME_MS)) } },
  ];
}
