import type { Caller } from "../auth/caller.ts";
import type { Change } from "../storage/aggregate.ts";
import type { LostProof } from "./lost-proof.ts";

/** The session a user acts with: the one that may outlive what the act does to all the others. */
export type OwnSession = {
  id: string;
  /**
   * What lets it go on in an epoch of its user, without the factors that rest on what was lost.
   * @returns undefined if nothing about it changes
   */
  keep(userEpoch: number, lost: readonly LostProof[]): Change | undefined;
};

/**
 * Finds the session whose token the caller came with, if it is this user's; the seam to the room of sessions.
 * @returns undefined for everybody else: administrators, service accounts
 * @throws DomainError `auth.session_not_found`, `auth.session_expired` if it is over since the caller came: whoever
 *   was shut out meanwhile does not end the sessions of those who shut them out
 */
export type FindOwnSession = (caller: Caller, userId: string) => Promise<OwnSession | undefined>;
