import {
  authorizationCodeGrant,
  type Configuration,
  type CustomFetch,
  fetchProtectedResource,
} from "openid-client";
import type { ClientAuthentication } from "./client-authentication.ts";
import { externalUser, type Json, type JsonObject } from "./external-user.ts";
import type { OAuthProvider } from "./provider.ts";
import { ProviderFailure } from "./provider-failure.ts";
import type { AuthorizationRequest, SignIn } from "./sign-in.ts";

/**
 * Redeems the code at a plain OAuth 2.0 provider and asks it who signed in.
 * @param callback the redirect URI with the parameters it was called with
 * @param extras what {@link tokenExtras} put aside during this conversation
 */
export async function signInWithOAuth(
  provider: OAuthProvider,
  configuration: Configuration,
  authentication: ClientAuthentication,
  callback: URL,
  { state, codeVerifier }: AuthorizationRequest,
  extras: TokenExtras,
): Promise<SignIn> {
  // The issuer (RFC 9207) is not known here, and a provider may name one all the same.
  callback.searchParams.delete("iss");
  const tokens = await authentication.attempt(() =>
    authorizationCodeGrant(configuration, callback, { expectedState: state, pkceCodeVerifier: codeVerifier }),
  );
  const profile = await resource(configuration, tokens.access_token, provider.userEndpoint);
  if (!isObject(profile)) {
    throw new ProviderFailure("server_error", "the identity provider does not say who signed in");
  }
  const address = provider.emailsEndpoint
    ? primaryAddress(await resource(configuration, tokens.access_token, provider.emailsEndpoint))
    : {};
  return {
    user: externalUser({ ...profile, ...address }, provider.claims),
    accessToken: tokens.access_token,
    ...(extras.idToken === undefined ? {} : { idToken: extras.idToken }),
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
  };
}

/** What a token response held that only OpenID Connect has. */
export type TokenExtras = { idToken?: string };

/**
 * A fetch that makes token responses regular: GitHub answers errors with status 200, and some providers add an ID
 * token that cannot be checked without an issuer. It is put aside, and nothing is believed that it says.
 */
export function tokenExtras(
  provider: OAuthProvider,
  fetch: CustomFetch,
): { fetch: CustomFetch; extras: TokenExtras } {
  const extras: TokenExtras = {};
  return {
    extras,
    fetch: async (url, options) => {
      const response = await fetch(url, options);
      if (url !== new URL(provider.tokenEndpoint).href || response.status !== 200) return response;
      const body: unknown = await response
        .clone()
        .json()
        .catch(() => undefined);
      if (!isObject(body)) return response;
      const { id_token: idToken, ...regular } = body;
      if (typeof idToken === "string") extras.idToken = idToken;
      return Response.json(regular, { status: typeof regular.error === "string" ? 400 : 200 });
    },
  };
}

async function resource(configuration: Configuration, accessToken: string, address: string): Promise<Json> {
  const headers = new Headers({ accept: "application/json" });
  const response = await fetchProtectedResource(
    configuration,
    accessToken,
    new URL(address),
    "GET",
    undefined,
    headers,
  );
  if (response.status !== 200) {
    throw new ProviderFailure("server_error", "the identity provider does not say who signed in");
  }
  return (await response.json()) as Json;
}

function primaryAddress(addresses: Json): JsonObject {
  const primary = Array.isArray(addresses)
    ? addresses.find((address) => isObject(address) && address.primary === true)
    : undefined;
  if (!isObject(primary) || typeof primary.email !== "string") return {};
  return { email: primary.email, email_verified: primary.verified === true };
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
