import { type Caller, permittedScopes } from "../auth/caller.ts";
import { type Condition, checkConditions } from "../storage/conditions.ts";
import { appliedLimit, type Page } from "../storage/page.ts";
import type { UserCondition, UserSort, UserVisibility } from "../storage/user-repository.ts";
import type { UserDependencies } from "./dependencies.ts";
import { accessible } from "./permissions.ts";
import type { UserState } from "./user.ts";

/**
 * Reads a user: oneself, or by `user.read`.
 * @throws DomainError `auth.permission_denied`, `user.not_found`
 */
export async function getUser(
  { users }: Pick<UserDependencies, "users">,
  caller: Caller,
  userId: string,
): Promise<UserState> {
  const user = await users.find(userId);
  return accessible(caller, user, "user.read", "user.not_found", "selfOrPermission");
}

export type ListUsers = {
  conditions: readonly Condition<UserCondition>[];
  sort: UserSort;
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

/**
 * Lists the users the caller may read. Who may not be seen is neither listed nor counted.
 * @throws DomainError `list.limit_exceeded`, `user.query_too_deep`, `list.query_too_large`
 */
export async function listUsers(
  { users }: Pick<UserDependencies, "users">,
  caller: Caller,
  { limit, ...query }: ListUsers,
): Promise<Page<UserState>> {
  checkConditions(query.conditions, "user.query_too_deep");
  return users.search({ ...query, limit: appliedLimit(limit), visibility: readableBy(caller) });
}

/** The users somebody may read, for queries that filter in the database. */
export function readableBy(caller: Caller): UserVisibility {
  const scopes = permittedScopes(caller, "user.read");
  return scopes === "everywhere" ? "everything" : { userId: caller.userId, organizationIds: scopes };
}
