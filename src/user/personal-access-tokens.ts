import type { Caller } from "../auth/caller.ts";
import { newPersonalAccessToken, personalAccessTokenDigest } from "../auth/personal-access-token.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { PersonalAccessTokenRow } from "../storage/tables.ts";
import type { UserDependencies } from "./dependencies.ts";
import { type CredentialPage, type ListCredentials, listCredentials } from "./machine-credentials.ts";
import { accessible } from "./permissions.ts";
import { userAggregate } from "./user.ts";

/** What existing servers grant such a token. */
const SCOPES = ["openid", "profile", "urn:zitadel:iam:user:metadata", "urn:zitadel:iam:user:resourceowner"];

/** `expiresAt` undefined: never. */
export type AddPersonalAccessToken = { userId: string; expiresAt?: Date | undefined };

/** `token` is shown here and never again. */
export type AddedPersonalAccessToken = { tokenId: string; token: string; createdAt: Date; details: Details };

/**
 * Issues a bearer token to a service account: one's own, or by permission.
 * @throws DomainError `auth.permission_denied`, `user.pat_user_not_found`, `user.pat_not_machine`, `user.pat_expired`
 */
export function addPersonalAccessToken(
  { events, users, clock }: UserDependencies,
  caller: Caller,
  { userId, expiresAt }: AddPersonalAccessToken,
): Promise<AddedPersonalAccessToken> {
  const [tokenId, token] = [uuidV7(), newPersonalAccessToken()];
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.pat_user_not_found", "selfOrPermission");
    if (user.type !== "machine") throw new DomainError("user.pat_not_machine");
    if (expiresAt && expiresAt <= clock()) throw new DomainError("user.pat_expired");
    const payload = { tokenId, digest: personalAccessTokenDigest(token), scopes: SCOPES };
    const expiration = expiresAt && { expiration: expiresAt.toISOString() };
    const added = change(
      userAggregate,
      user,
      [{ type: "user.pat.added", payload: { ...payload, ...expiration } }],
      caller.userId,
    );
    const createdAt = await events.append([added]);
    return { tokenId, token, createdAt, details: detailsOf(added.state, user.organizationId, createdAt) };
  });
}

/**
 * Revokes a token, with immediate effect.
 * @returns when
 * @throws DomainError `auth.permission_denied`; `user.pat_not_found` also if the token is another user's
 */
export function removePersonalAccessToken(
  { events, users, personalAccessTokens }: UserDependencies,
  caller: Caller,
  { userId, tokenId }: { userId: string; tokenId: string },
): Promise<Date> {
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.pat_not_found", "selfOrPermission");
    const token = await personalAccessTokens.find(tokenId);
    if (token?.userId !== user.id) throw new DomainError("user.pat_not_found");
    const removed = change(
      userAggregate,
      user,
      [{ type: "user.pat.removed", payload: { tokenId } }],
      caller.userId,
    );
    return events.append([removed]);
  });
}

/** Lists the tokens of users the caller may read; see `listCredentials`. */
export function listPersonalAccessTokens(
  { personalAccessTokens }: UserDependencies,
  caller: Caller,
  query: ListCredentials,
): Promise<CredentialPage<PersonalAccessTokenRow>> {
  return listCredentials((search) => personalAccessTokens.search(search), caller, query);
}
