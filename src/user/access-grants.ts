import type { AccessClaims, AccessTokens } from "../auth/access-token.ts";
import { keyIdOf, verifyAssertion } from "../auth/assertion.ts";
import { isClientSecret } from "../auth/client-secret.ts";
import { TokenRefusal } from "../auth/token-refusal.ts";
import { isUuid } from "../crypto/random-ids.ts";
import type { UserDependencies } from "./dependencies.ts";
import { loginNameKey, type UserState } from "./user.ts";

export type AccessGrantDependencies = Pick<
  UserDependencies,
  "users" | "machineKeys" | "accessTokens" | "clock"
>;

export type IssuedToken = { accessToken: string; expiresInSeconds: number };

/** How a client of the token endpoint says who it is: by user name or user id, and the secret. */
export type ClientCredentials = { clientId: string; clientSecret: string };

const LIFETIME_MS = 3_600_000;
/** The longest user id or name. */
const MAX_CLIENT_ID_LENGTH = 200;

/**
 * An access token for what a machine key has signed (RFC 7523 §2.1).
 * @param audiences the names of this server
 * @throws TokenRefusal `invalid_grant`
 */
export async function grantByAssertion(
  { users, machineKeys, accessTokens, clock }: AccessGrantDependencies,
  assertion: string,
  audiences: readonly string[],
): Promise<IssuedToken> {
  const [keyId, now] = [keyIdOf(assertion), clock()];
  const key = keyId !== undefined && isUuid(keyId) ? await machineKeys.find(keyId) : undefined;
  await verifyAssertion(assertion, key, audiences, now);
  const { id: credentialId, userId, expiresAt } = key!;
  if (expiresAt !== null && expiresAt <= now) {
    throw new TokenRefusal("invalid_grant", "the key has expired");
  }
  const user = await users.find(userId);
  if (user?.status !== "active") throw new TokenRefusal("invalid_grant", "the user is not active");
  return issue(accessTokens, user, { source: "key", credentialId }, now, expiresAt);
}

/**
 * An access token for the client itself (RFC 6749 §4.4).
 * @throws TokenRefusal `invalid_client`
 */
export async function grantByClientCredentials(
  dependencies: AccessGrantDependencies,
  credentials: ClientCredentials,
): Promise<IssuedToken> {
  const user = await authenticateClient(dependencies, credentials);
  const { accessTokens, clock } = dependencies;
  return issue(accessTokens, user, { source: "secret", credentialId: user.clientSecret!.id }, clock(), null);
}

/**
 * The service account whose secret this is. Names and ids may be alike, of two users: the secret tells them apart.
 * There is no limit on guesses, since nobody guesses 256 random bits.
 * @throws TokenRefusal `invalid_client`, whatever is wrong
 */
export async function authenticateClient(
  { users }: Pick<UserDependencies, "users">,
  { clientId, clientSecret }: ClientCredentials,
): Promise<UserState> {
  const found = isPossibleId(clientId)
    ? await Promise.all([users.find(clientId), users.findByLoginName(loginNameKey(clientId))])
    : [];
  const user = found.find(
    (each) => each?.clientSecret && isClientSecret(clientSecret, each.clientSecret.digest),
  );
  if (user?.status !== "active") throw new TokenRefusal("invalid_client", "unknown client, or wrong secret");
  return user;
}

/** No user has a longer one, and the database's texts have no NUL. */
function isPossibleId(clientId: string): boolean {
  return clientId.length <= 2 * MAX_CLIENT_ID_LENGTH && !clientId.includes("\0");
}

function issue(
  accessTokens: AccessTokens,
  user: UserState,
  source: Pick<AccessClaims, "source" | "credentialId">,
  now: Date,
  sourceExpiresAt: Date | null,
): IssuedToken {
  const lifetimeMs = Math.min(LIFETIME_MS, (sourceExpiresAt?.getTime() ?? Infinity) - now.getTime());
  const expiresAt = new Date(now.getTime() + lifetimeMs);
  return {
    accessToken: accessTokens.issue({ ...source, userId: user.id, userEpoch: user.sessionEpoch, expiresAt }),
    expiresInSeconds: Math.floor(lifetimeMs / 1_000),
  };
}
