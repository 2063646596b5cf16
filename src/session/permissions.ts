import { type Caller, INSTANCE, isPermitted, type Scope } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import { type SessionState, standing } from "./session.ts";

type Owned = Pick<SessionState, "creatorId" | "userId" | "userOrganizationId" | "fingerprintId">;

/** Where a permission on this session must hold: in its user's organization, or on the instance if it has no user. */
function scopeOf(session: Owned): Scope {
  return session.userOrganizationId ?? INSTANCE;
}

/** New sessions belong to nobody yet, so creating one takes the permission on the instance (spec authorization §5). */
export function mayCreate(caller: Caller): boolean {
  return isPermitted(caller, "session.write", INSTANCE);
}

/** @param session undefined if there is none of that id: only who may change any session is told so */
export function mayChange(caller: Caller, session: Owned | undefined): boolean {
  return isPermitted(caller, "session.write", session ? scopeOf(session) : INSTANCE);
}

/**
 * A session the caller may change, and that can be.
 * @throws DomainError `auth.permission_denied`; `session.not_found` for callers who may change any session;
 *   `session.terminated`, `session.expired`
 */
export function changeable(caller: Caller, record: SessionRecord | undefined): SessionRecord {
  if (!mayChange(caller, record?.session)) throw new DomainError("auth.permission_denied");
  if (record === undefined) throw new DomainError("session.not_found");
  const stands = standing(record);
  if (stands === "ended") throw new DomainError("session.terminated");
  if (stands === "expired") throw new DomainError("session.expired");
  return record;
}

/** Creator, the session's user, the same user agent, or `session.read`. */
export function mayRead(caller: Caller, session: Owned | undefined): boolean {
  if (session === undefined) return isPermitted(caller, "session.read", INSTANCE);
  return (
    session.creatorId === caller.userId ||
    session.userId === caller.userId ||
    (caller.agentId !== undefined && session.fingerprintId === caller.agentId) ||
    isPermitted(caller, "session.read", scopeOf(session))
  );
}

/** One's own session, or `session.delete`. Having created it does not help. */
export function mayEnd(caller: Caller, session: Owned | undefined): boolean {
  if (session === undefined) return isPermitted(caller, "session.delete", INSTANCE);
  return session.userId === caller.userId || isPermitted(caller, "session.delete", scopeOf(session));
}
