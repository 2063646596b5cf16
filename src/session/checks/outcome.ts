import type { DomainError } from "../../errors.ts";
import type { UserEvent } from "../../user/events.ts";
import type { SessionEvent } from "../events.ts";

/**
 * What a check found: facts for the session and for the user. With a `failure`, the user's facts (a failed attempt,
 * a lock) are stored all the same, the session's are not, and the caller gets the failure.
 */
export type CheckOutcome = {
  session: SessionEvent[];
  user: UserEvent[];
  failure?: DomainError;
};
