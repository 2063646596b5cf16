import type { DomainError } from "../../errors.ts";
import type { Change } from "../../storage/aggregate.ts";
import type { LockoutLimits } from "../../storage/organization-repository.ts";
import type { UserEvent } from "../../user/events.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionEvent } from "../events.ts";
import type { SessionState } from "../session.ts";

/** What a check decides on. */
export type CheckContext = {
  /** As loaded: an earlier check of the same request has not changed it yet. */
  session: SessionState;
  /** The session's user, which a user check of the same request may just have named; undefined: none yet. */
  user: UserState | undefined;
  /** How many failed attempts in a row lock the user; read only when one failed. */
  lockout(): Promise<LockoutLimits>;
  /** The moment of the request, by the application's clock. */
  at: Date;
  actorId: string;
};

/**
 * What a check found: facts for the session, for the user, and for what else it used up. With a `failure`, the user's
 * facts (a failed attempt, a lock) are stored all the same, the others are not, and the caller gets the failure.
 */
export type CheckOutcome = {
  session: SessionEvent[];
  user: UserEvent[];
  others?: Change[];
  failure?: DomainError;
};

export type Check = (context: CheckContext) => CheckOutcome | Promise<CheckOutcome>;
