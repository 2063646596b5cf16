import { setTimeout as wait } from "node:timers/promises";
import { type Caller, INSTANCE, isPermitted, permittedScopes } from "../auth/caller.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import type { SessionFilter } from "../storage/session-filter.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { type EndingState, endingAggregate } from "./ending/ending.ts";
import { mayEnd } from "./permissions.ts";
import { checkFilter, isEmpty } from "./session-filter.ts";

/** `all` must be said for a filter without any condition. */
export type EndSessions = { filter: SessionFilter; all: boolean };

/**
 * Ends every active session that meets a filter. They are over with the answer, however many they are; their events
 * follow in the background, but for a small number, which has them with the answer too.
 * @returns the operation as it stands
 * @throws DomainError `session.filter_empty`, `session.filter_not_active`, what {@link checkFilter} refuses, and
 *   `auth.permission_denied` unless the caller may end everything the filter can reach
 */
export async function endSessions(
  dependencies: SessionDependencies,
  caller: Caller,
  command: EndSessions,
): Promise<EndingState> {
  const filter = await authorizedFilter(dependencies, caller, command);
  const id = uuidV7();
  const started = [{ type: "ending.started", payload: { filter } }] as const;
  const initial = endingAggregate.initialState(id);
  await dependencies.events.append([change(endingAggregate, initial, started, caller.userId)]);
  // Times are whole milliseconds: a session begun after the answer must not share the ending's.
  await Promise.all([dependencies.writeEndings(id), wait(2)]);
  return (await dependencies.sessions.findEnding(id))!;
}

/**
 * How many sessions {@link endSessions} would end right now.
 * @throws as it does
 */
export async function countEndable(
  dependencies: SessionDependencies,
  caller: Caller,
  command: EndSessions,
): Promise<number> {
  return dependencies.sessions.countActive(await authorizedFilter(dependencies, caller, command));
}

/** Ends every session of a user, or every one but one. @throws DomainError `auth.permission_denied` */
export function endUserSessions(
  dependencies: SessionDependencies,
  caller: Caller,
  { userId, exceptId }: { userId: string; exceptId?: string | undefined },
): Promise<EndingState> {
  const filter = { userIds: [userId], ...(exceptId === undefined ? {} : { exceptIds: [exceptId] }) };
  return endSessions(dependencies, caller, { filter, all: false });
}

/** Ends all of the caller's sessions but the one it came with. @throws DomainError `session.no_own_session` */
export async function endOtherSessions(
  dependencies: SessionDependencies,
  caller: Caller,
): Promise<EndingState> {
  const { userId, sessionId } = caller;
  if (sessionId === undefined) throw new DomainError("session.no_own_session");
  return endUserSessions(dependencies, caller, { userId, exceptId: sessionId });
}

/**
 * How far a bulk ending has come.
 * @throws DomainError `auth.permission_denied`; `session.operation_not_found` for callers who may end any session
 */
export async function getOperation(
  { sessions }: Pick<SessionDependencies, "sessions">,
  caller: Caller,
  id: string,
): Promise<EndingState> {
  const operation = await sessions.findEnding(id);
  if (operation?.actorId !== caller.userId && !isPermitted(caller, "session.delete", INSTANCE)) {
    throw new DomainError("auth.permission_denied");
  }
  if (operation === undefined) throw new DomainError("session.operation_not_found");
  return operation;
}

/** The filter as a rule: that it reaches only active sessions goes without saying. */
async function authorizedFilter(
  dependencies: SessionDependencies,
  caller: Caller,
  { filter: { statuses, ...filter }, all }: EndSessions,
): Promise<SessionFilter> {
  if (statuses?.some((status) => status !== "active") || filter.reasons) {
    throw new DomainError("session.filter_not_active");
  }
  if (isEmpty(filter) && !all) throw new DomainError("session.filter_empty");
  checkFilter(filter);
  if (!(await mayEndAll(dependencies, caller, filter))) throw new DomainError("auth.permission_denied");
  return filter;
}

/**
 * Whether the caller may end everything a filter can reach: any session there is, or because the filter keeps to
 * organizations, users or sessions the caller may end each of. Who can't be found can't be ended.
 */
async function mayEndAll(
  { users, sessions }: Pick<SessionDependencies, "users" | "sessions">,
  caller: Caller,
  { organizationIds, userIds, ids }: SessionFilter,
): Promise<boolean> {
  const scopes = permittedScopes(caller, "session.delete");
  if (scopes === "everywhere") return true;
  if (organizationIds?.every((id) => scopes.includes(id))) return true;
  if (userIds) {
    const found = await Promise.all(userIds.map((id) => (id === caller.userId ? undefined : users.find(id))));
    const permitted = userIds.every(
      (id, index) => id === caller.userId || scopes.includes(found[index]?.organizationId ?? ""),
    );
    if (permitted) return true;
  }
  if (ids) {
    const found = await Promise.all(ids.map((id) => sessions.find(id)));
    return found.every((record) => record !== undefined && mayEnd(caller, record.session));
  }
  return false;
}
