import { authorizationCodeGrant, type Configuration, fetchUserInfo } from "openid-client";
import type { ClientAuthentication } from "./client-authentication.ts";
import { externalUser, type JsonObject } from "./external-user.ts";
import type { OidcProvider } from "./provider.ts";
import { ProviderFailure } from "./provider-failure.ts";
import type { AuthorizationRequest, SignIn } from "./sign-in.ts";

/**
 * Redeems the code at an OpenID provider. The ID token's signature, issuer, audience, nonce and times are checked
 * (Core §3.1.3.7), and the user info must be about the same subject (§5.3.2).
 * @param callback the redirect URI with the parameters it was called with
 * @param form what came beside the parameters of the protocol
 */
export async function signInWithOidc(
  provider: OidcProvider,
  configuration: Configuration,
  authentication: ClientAuthentication,
  callback: URL,
  { state, nonce, codeVerifier }: AuthorizationRequest,
  form: URLSearchParams,
): Promise<SignIn> {
  const { token_endpoint_auth_methods_supported: methods, userinfo_endpoint: userInfo } =
    configuration.serverMetadata();
  authentication.restrictTo(methods);
  const tokens = await authentication.attempt(() =>
    authorizationCodeGrant(configuration, callback, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: codeVerifier,
      idTokenExpected: true,
    }),
  );
  const claims = tokens.claims();
  if (claims === undefined)
    throw new ProviderFailure("invalid_id_token", "the identity provider sent no ID token");

  const asked = !provider.idTokenOnly && userInfo !== undefined;
  const profile = asked ? await fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
  const names = provider.responseMode === "form_post" ? nameIn(form) : {};
  const raw = { ...names, ...claims, ...profile } as JsonObject;
  const user = externalUser(raw, provider.claims);
  const { emailVerified = user.emailVerified } = provider;
  return {
    user: { ...user, emailVerified: user.email !== undefined && emailVerified },
    accessToken: tokens.access_token,
    ...(tokens.id_token === undefined ? {} : { idToken: tokens.id_token }),
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
  };
}

/**
 * Apple tells the name once, beside the code and not in the ID token. It passes through the browser, so it is no more
 * than what the user says, and nothing but a name is taken from it.
 */
function nameIn(form: URLSearchParams): JsonObject {
  try {
    const { firstName, lastName } = JSON.parse(form.get("user") ?? "{}").name ?? {};
    return {
      ...(typeof firstName === "string" ? { given_name: firstName } : {}),
      ...(typeof lastName === "string" ? { family_name: lastName } : {}),
    };
  } catch {
    return {};
  }
}
