import type { Caller } from "../../auth/caller.ts";
import { randomToken, uuidV7 } from "../../crypto/random-ids.ts";
import { DomainError } from "../../errors.ts";
import { change } from "../../storage/aggregate.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import {
  creationOptions,
  type NewCredential,
  REGISTRATION_TIMEOUT_MS,
} from "../../web-authn/registration.ts";
import { isRelyingPartyId } from "../../web-authn/relying-party.ts";
import type { UserDependencies } from "../dependencies.ts";
import type { UserEvent } from "../events.ts";
import { accessible } from "../permissions.ts";
import { type UserState, userAggregate } from "../user.ts";
import { type CredentialKind, eventPrefixes, MAX_CREDENTIALS, readyCredentials } from "./credentials.ts";
import { type GivenPasskeyCode, redeemPasskeyCode } from "./passkey-code.ts";

export type RegisterCredential = {
  userId: string;
  kind: CredentialKind;
  rpId: string;
  attachment?: NewCredential["attachment"];
  /** Of a registration link: whoever has it needs no permission. Passkeys only. */
  code?: GivenPasskeyCode | undefined;
};

/** `options`: the argument of `navigator.credentials.create()`. */
export type StartedRegistration = { id: string; options: object; details: Details };

/**
 * Begins a registration, which waits for the authenticator as long as the browser does; one of the same kind that waits
 * is replaced. One's own, by permission, or by a code, which is used up by this.
 * @throws DomainError `user.web_auth_n_domain_invalid`, `auth.permission_denied`, `user.web_auth_n_user_not_found`,
 *   `user.passkey_code_invalid`, `user.web_auth_n_too_many`
 */
export function registerCredential(
  dependencies: UserDependencies,
  caller: Caller,
  command: RegisterCredential,
): Promise<StartedRegistration> {
  const { events, users, clock, issuerName } = dependencies;
  const { userId, kind, rpId, attachment, code } = command;
  const [id, challenge] = [uuidV7(), randomToken(32)];
  return events.decide(userId, async () => {
    if (!isRelyingPartyId(rpId)) throw new DomainError("user.web_auth_n_domain_invalid");
    const found = await users.find(userId);
    const { user, redeemed } = code
      ? await redeemPasskeyCode(dependencies, caller, found, code)
      : { user: personOf(caller, found), redeemed: [] };

    const ready = readyCredentials(user, kind);
    if (ready.length >= MAX_CREDENTIALS) throw new DomainError("user.web_auth_n_too_many");
    const options = creationOptions({
      challenge,
      relyingParty: { id: rpId, name: issuerName },
      user: { id: user.id, name: user.username, displayName: user.displayName ?? user.username },
      excludedCredentialIds: ready
        .filter((credential) => credential.rpId === rpId)
        .map(({ credentialId }) => credentialId),
      attachment,
    });
    const added: UserEvent = {
      type: `${eventPrefixes[kind]}.added`,
      payload: {
        webAuthNTokenId: id,
        challenge,
        rpID: rpId,
        expiresAt: new Date(clock().getTime() + REGISTRATION_TIMEOUT_MS).toISOString(),
        registeredBy: caller.userId,
        ...(code ? { byCode: true } : {}),
      },
    };
    const started = change(userAggregate, user, [...redeemed, added], caller.userId);
    const details = detailsOf(started.state, user.organizationId, await events.append([started]));
    return { id, options, details };
  });
}

function personOf(caller: Caller, found: UserState | undefined): UserState {
  const notFound = "user.web_auth_n_user_not_found";
  const user = accessible(caller, found, "user.credential.write", notFound, "selfOrPermission");
  if (user.type !== "human") throw new DomainError(notFound);
  return user;
}
