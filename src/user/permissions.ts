import { type Caller, INSTANCE, isPermitted } from "../auth/caller.ts";
import type { Permission } from "../auth/roles.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { type UserState, userExists } from "./user.ts";

/** By permission only, or also on oneself. */
export type Entitlement = "permission" | "selfOrPermission";

/**
 * Whether the caller may act on this user. Where there is no user of that id, only a permission on the instance helps:
 * who could act on any user may know that this one is not there, all others are told the same as for a stranger.
 */
export function mayAct(
  caller: Caller,
  user: UserState | undefined,
  permission: Permission,
  entitlement: Entitlement = "permission",
): boolean {
  if (user === undefined || user.status === "none") return isPermitted(caller, permission, INSTANCE);
  const self = entitlement === "selfOrPermission" && user.id === caller.userId && userExists(user);
  return self || isPermitted(caller, permission, user.organizationId);
}

/**
 * The user, if the caller may act on it and it exists; the permission comes first.
 * @param notFound what a caller who may know is told about a user that does not exist
 * @throws DomainError `auth.permission_denied`, `notFound`
 */
export function accessible(
  caller: Caller,
  user: UserState | undefined,
  permission: Permission,
  notFound: ErrorSlug,
  entitlement: Entitlement = "permission",
): UserState {
  if (!mayAct(caller, user, permission, entitlement)) throw new DomainError("auth.permission_denied");
  if (user === undefined || !userExists(user)) throw new DomainError(notFound);
  return user;
}

/** One's own account, where a role lets one remove it, or `user.delete`. */
export function mayDelete(caller: Caller, user: UserState | undefined): boolean {
  return (
    mayAct(caller, user, "user.delete") ||
    (user?.id === caller.userId && isPermitted(caller, "user.self.delete", user.organizationId))
  );
}
