import { DomainError } from "../../errors.ts";
import { type Change, change } from "../../storage/aggregate.ts";
import type { UserEvent } from "../../user/events.ts";
import type { PasswordVerification } from "../../user/password-check.ts";
import { loginNameKey, type UserState, userAggregate } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import type { SessionEvent } from "../events.ts";
import type { SessionState } from "../session.ts";
import { decidePasswordCheck, passwordHashToCheck } from "./password.ts";
import { checkUser } from "./user.ts";

/** The checks of one request. */
export type Checks = {
  user?: { userId: string } | { loginName: string };
  password?: string;
  /** Checks asked for that this server does not offer yet, by their field names. */
  unavailable: readonly string[];
};

export type ChecksResult = {
  session: SessionEvent[];
  /** The user's own facts; empty if no check touched the user. */
  user: Change[];
  failure?: DomainError;
};

/**
 * Runs the checks in their fixed order, whatever the order on the wire: user, then password. The first failure stops.
 * @throws DomainError what a check refuses without leaving a trace on the user
 */
export async function runChecks(
  dependencies: Pick<SessionDependencies, "users" | "organizations" | "clock">,
  session: SessionState,
  checks: Checks,
  verify: PasswordVerification,
  actorId: string,
): Promise<ChecksResult> {
  const { users, organizations, clock } = dependencies;
  const [unavailable] = checks.unavailable;
  if (unavailable !== undefined) {
    throw new DomainError("session.check_unimplemented", {
      message: `the check ${unavailable} is not available yet`,
    });
  }

  const sessionEvents: SessionEvent[] = [];
  let user: UserState | undefined;
  if (checks.user) {
    user = await ("userId" in checks.user
      ? users.find(checks.user.userId)
      : users.findByLoginName(loginNameKey(checks.user.loginName)));
    sessionEvents.push(...checkUser(session, user, clock()).session);
  }
  if (checks.password === undefined) return { session: sessionEvents, user: [] };

  if (user === undefined && session.userId !== null) user = await users.find(session.userId);
  const verdict = await verify(checks.password, passwordHashToCheck(user));
  const checkedUser = user!;
  const maxAttempts = verdict.matches
    ? 0
    : await organizations.maxPasswordAttempts(checkedUser.organizationId);
  const outcome = decidePasswordCheck(checkedUser, verdict, maxAttempts, clock());
  const userChange = change<UserState, UserEvent>(userAggregate, checkedUser, outcome.user, actorId);
  return outcome.failure
    ? { session: [], user: [userChange], failure: outcome.failure }
    : { session: [...sessionEvents, ...outcome.session], user: [userChange] };
}
