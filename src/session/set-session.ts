import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { heldBack } from "../user/tarpit.ts";
import { type ChangedSession, changeSession, type SessionChanges } from "./change-session.ts";
import { checkedUser, provesSomething, turnOf } from "./checks/turn.ts";
import { verificationsOf } from "./checks/verifications.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { changeable, mayChange } from "./permissions.ts";
import { isCurrent } from "./session-token.ts";

/** `token` counts only where the operator demands it as proof; otherwise it is ignored, as the contract has it. */
export type SetSession = SessionChanges & { sessionId: string; token: string };

/**
 * Adds checks, metadata or a lifetime to a session and rotates its token.
 * @throws DomainError `auth.permission_denied`; `session.not_found` for callers who may change any session;
 *   `session.terminated`, `session.expired`; what the checks refuse; `session.limit_reached` if it names a user for a
 *   session without one
 */
export async function setSession(
  dependencies: SessionDependencies,
  caller: Caller,
  command: SetSession,
): Promise<ChangedSession> {
  const verifications = verificationsOf(dependencies);
  const attempt = async () => {
    const record = await dependencies.sessions.find(command.sessionId);
    if (!mayChange(caller, record?.session)) throw new DomainError("auth.permission_denied");
    if (record === undefined) throw new DomainError("session.not_found");
    if (dependencies.setSessionProof === "token") {
      const token = dependencies.tokens.read(command.token);
      if (!token || !isCurrent(token, record.session)) throw new DomainError("session.token_required");
    }
    const { session } = changeable(caller, record);
    return changeSession(dependencies, caller, session, [], command, verifications, record);
  };
  const contended = await contendedAggregate(dependencies, command);
  return heldBack(dependencies.delay, () =>
    dependencies.events.decide(contended, attempt, turnOf(command.checks)),
  );
}

/** The session; where it gets its user, or something is proven, the user: sessions and attempts are counted there. */
async function contendedAggregate(
  { sessions }: SessionDependencies,
  { sessionId, checks }: SetSession,
): Promise<string> {
  const named = checkedUser(checks);
  if (named !== undefined || !provesSomething(checks)) return named ?? sessionId;
  return (await sessions.find(sessionId))?.session.userId ?? sessionId;
}
