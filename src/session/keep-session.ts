import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import type { RunningEnding } from "../storage/session-repository.ts";
import type { LostProof } from "../user/lost-proof.ts";
import type { OwnSession } from "../user/own-session.ts";
import type { SessionDependencies } from "./dependencies.ts";
import type { SessionEvent } from "./events.ts";
import { type SessionState, sessionAggregate, standing } from "./session.ts";

/** The session a caller acts with, for acts on users; what it promises is said in `user/own-session.ts`. */
export async function ownSession(
  { sessions }: Pick<SessionDependencies, "sessions">,
  caller: Caller,
  userId: string,
): Promise<OwnSession | undefined> {
  if (caller.sessionId === undefined || caller.userId !== userId) return undefined;
  const record = await sessions.find(caller.sessionId);
  const stands = record && standing(record);
  if (!record || stands === "ended") throw new DomainError("auth.session_not_found");
  if (stands === "expired") throw new DomainError("auth.session_expired");
  const { session, endings } = record;
  return {
    id: session.id,
    keep: (userEpoch, lost) => {
      const kept = decideKeep(session, userEpoch, lost, endings);
      return kept && change(sessionAggregate, session, [kept], caller.userId);
    },
  };
}

/**
 * What lets a session go on although its user's sessions end: the user's new epoch, and what is no longer proven.
 * @param endings the running bulk endings, none of which reaches the session
 * @returns undefined if neither changes anything
 */
export function decideKeep(
  { userEpoch: current, factors }: SessionState,
  userEpoch: number,
  lost: readonly LostProof[],
  endings: readonly RunningEnding[],
): SessionEvent | undefined {
  const dropped = lost.filter((proof) => restsOn(factors, proof)).map(({ factor }) => factor);
  if (userEpoch === current && dropped.length === 0) return undefined;
  const spared = endings.length === 0 ? {} : { spared: endings.map(({ id }) => id) };
  return { type: "session.kept", payload: { userEpoch, dropped, ...spared } };
}

/** Whether a factor was proven by this. One that does not say by which credential or provider may have been. */
function restsOn(factors: SessionState["factors"], proof: LostProof): boolean {
  switch (proof.factor) {
    case "webAuthN": {
      const { webAuthN } = factors;
      return webAuthN !== undefined && (webAuthN.credentialId ?? proof.credentialId) === proof.credentialId;
    }
    case "intent": {
      const { intent } = factors;
      return intent !== undefined && (intent.idpId ?? proof.idpId) === proof.idpId;
    }
    default:
      return factors[proof.factor] !== undefined;
  }
}
