import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import type { Details } from "../../storage/details.ts";
import { changeFactor } from "../change-factor.ts";
import type { UserDependencies } from "../dependencies.ts";
import type { UserEvent } from "../events.ts";
import type { UserState } from "../user.ts";
import { type CredentialKind, eventPrefixes } from "./credentials.ts";

/** `id` is ours, not the authenticator's. */
export type RemoveCredential = { userId: string; kind: CredentialKind; id: string };

/**
 * Removes a passkey or a security key, or calls off its registration.
 * @throws DomainError `auth.permission_denied`, `user.web_auth_n_not_found`
 */
export function removeCredential(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, kind, id }: RemoveCredential,
): Promise<Details> {
  const act = { permission: "user.write", notFound: "user.web_auth_n_not_found" } as const;
  return changeFactor(dependencies, caller, userId, act, (user) => decideRemove(user, kind, id));
}

export function decideRemove({ webAuthN }: UserState, kind: CredentialKind, id: string): UserEvent[] {
  if (!webAuthN.some((credential) => credential.kind === kind && credential.id === id)) {
    throw new DomainError("user.web_auth_n_not_found");
  }
  return [{ type: `${eventPrefixes[kind]}.removed`, payload: { webAuthNTokenId: id } }];
}
