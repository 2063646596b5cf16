import type { Caller } from "../../auth/caller.ts";
import { DomainError, type ErrorSlug } from "../../errors.ts";
import { change } from "../../storage/aggregate.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import { type RegisteredCredential, verifyRegistration } from "../../web-authn/registration.ts";
import { WebAuthNError, type WebAuthNFailure } from "../../web-authn/web-authn-error.ts";
import type { UserDependencies } from "../dependencies.ts";
import type { UserEvent } from "../events.ts";
import { mayAct } from "../permissions.ts";
import { type UserState, userAggregate, userExists } from "../user.ts";
import { type CredentialKind, eventPrefixes, pendingCredential, readyCredentials } from "./credentials.ts";

export type VerifyRegistration = {
  userId: string;
  kind: CredentialKind;
  /** Of the registration. */
  id: string;
  /** The browser's answer; nothing about it is known yet. */
  credential: unknown;
  name: string;
};

/**
 * Completes a registration with the browser's answer: one's own, by permission, or as the caller who began it by a code.
 * A wrong answer leaves it open.
 * @throws DomainError `auth.permission_denied`, `user.web_auth_n_none_pending`, `…_other_pending`, `…_expired`,
 *   `…_malformed`, `…_invalid`, `…_exists`
 */
export function verifyCredentialRegistration(
  { events, users, clock }: UserDependencies,
  caller: Caller,
  { userId, kind, id, credential, name }: VerifyRegistration,
): Promise<Details> {
  return events.decide(userId, async () => {
    const user = authorized(caller, await users.find(userId), kind);
    const { rpId, pending } = openRegistration(user, kind, id, clock());
    const registered = await verified(credential, kind, { challenge: pending.challenge, rpId });
    const changed = change(
      userAggregate,
      user,
      [decideVerified(user, kind, id, name, registered)],
      caller.userId,
    );
    return detailsOf(changed.state, user.organizationId, await events.append([changed]));
  });
}

/** Somebody the caller may not act on has no registrations to know of. */
function authorized(caller: Caller, found: UserState | undefined, kind: CredentialKind): UserState {
  const pending = found && pendingCredential(found, kind)?.pending;
  const isInvited = pending?.byCode === true && pending.registeredBy === caller.userId;
  if (!isInvited && !mayAct(caller, found, "user.credential.write", "selfOrPermission")) {
    throw new DomainError("auth.permission_denied");
  }
  if (found === undefined || !userExists(found)) throw new DomainError("user.web_auth_n_none_pending");
  return found;
}

/**
 * The registration of this id.
 * @throws DomainError `user.web_auth_n_none_pending`, `user.web_auth_n_other_pending`, `user.web_auth_n_expired`
 */
export function openRegistration(user: UserState, kind: CredentialKind, id: string, at: Date) {
  const registration = pendingCredential(user, kind);
  if (registration === undefined) throw new DomainError("user.web_auth_n_none_pending");
  if (registration.id !== id) throw new DomainError("user.web_auth_n_other_pending");
  if (new Date(registration.pending.expiresAt) < at) throw new DomainError("user.web_auth_n_expired");
  return registration;
}

const slugs: { readonly [failure in WebAuthNFailure]: ErrorSlug } = {
  malformed: "user.web_auth_n_malformed",
  refused: "user.web_auth_n_invalid",
};

async function verified(
  json: unknown,
  kind: CredentialKind,
  expected: { challenge: string; rpId: string },
): Promise<RegisteredCredential> {
  try {
    // Both kinds ask for it. A security key that cannot know its user is none the worse as a second factor.
    return await verifyRegistration(json, { ...expected, requireUserVerification: kind === "passkey" });
  } catch (error) {
    if (error instanceof WebAuthNError) throw new DomainError(slugs[error.failure], { cause: error });
    throw error;
  }
}

/** @throws DomainError `user.web_auth_n_exists`: the browser should have refused it, since it was told */
export function decideVerified(
  user: UserState,
  kind: CredentialKind,
  id: string,
  name: string,
  { credentialId, attestationFormat, userVerified: _, ...registered }: RegisteredCredential,
): UserEvent {
  if (readyCredentials(user, kind).some((ready) => ready.credentialId === credentialId)) {
    throw new DomainError("user.web_auth_n_exists");
  }
  return {
    type: `${eventPrefixes[kind]}.verified`,
    payload: {
      webAuthNTokenId: id,
      keyId: credentialId,
      attestationType: attestationFormat,
      webAuthNTokenName: name,
      ...registered,
    },
  };
}
