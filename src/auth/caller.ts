import { DomainError } from "../errors.ts";
import type { CredentialOwner, StoredMembership } from "../storage/caller-repository.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import { grants, type Permission } from "./roles.ts";

/** Who is calling, as of the request's start. */
export type Caller = {
  userId: string;
  /** The organization the caller's user belongs to. */
  organizationId: string;
  /** The organization the call is about: `x-zitadel-orgid`, or the caller's own. */
  contextOrganizationId: string;
  /** Roles on the instance (`resourceId` {@link INSTANCE_RESOURCE}) and on organizations. */
  memberships: readonly StoredMembership[];
  /** Fingerprint of the user agent the caller signed in with, where the credential says so. */
  agentId?: string;
  /** The session whose token the caller came with. */
  sessionId?: string;
};

/**
 * A service account as caller.
 * @param owner who the credential belongs to; undefined: nobody knows it
 * @throws DomainError `auth.token_invalid`: unknown, removed or expired, or its user is not active
 */
export function callerOfOwner(owner: CredentialOwner | undefined): Caller {
  if (!owner || owner.expired || owner.userStatus !== "active") throw new DomainError("auth.token_invalid");
  return {
    userId: owner.userId,
    organizationId: owner.organizationId,
    contextOrganizationId: owner.organizationId,
    memberships: owner.memberships,
  };
}

/** The instance itself, or one organization. Roles on the instance cover every organization. */
export const INSTANCE = Symbol("instance");
export type Scope = typeof INSTANCE | string;

export function isPermitted(caller: Caller, permission: Permission, scope: Scope): boolean {
  return caller.memberships.some(
    ({ resourceId, roles }) =>
      (resourceId === INSTANCE_RESOURCE || resourceId === scope) && grants(roles, permission),
  );
}

/** @throws DomainError `auth.permission_denied` */
export function demand(caller: Caller, permission: Permission, scope: Scope): void {
  if (!isPermitted(caller, permission, scope)) throw new DomainError("auth.permission_denied");
}

/** Where a permission holds, for queries that filter in the database: everywhere, or in these organizations. */
export function permittedScopes(caller: Caller, permission: Permission): "everywhere" | string[] {
  if (isPermitted(caller, permission, INSTANCE)) return "everywhere";
  return caller.memberships
    .filter(({ resourceId, roles }) => resourceId !== INSTANCE_RESOURCE && grants(roles, permission))
    .map(({ resourceId }) => resourceId);
}
