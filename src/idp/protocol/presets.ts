import { standardClaims } from "./external-user.ts";
import type { ClientSecret, OAuthProvider, OidcProvider } from "./provider.ts";

/** What every provider is configured with. Without scopes it gets the preset's own. */
export type ClientSettings = { clientId: string; clientSecret: string; scopes: readonly string[] };

/** Any provider of OpenID Connect. */
export function genericOidc(
  settings: ClientSettings & { issuer: string; idTokenOnly: boolean },
): OidcProvider {
  return {
    ...oidc(settings),
    issuer: settings.issuer,
    idTokenOnly: settings.idTokenOnly,
  };
}

/** Any provider of OAuth 2.0 that tells who signed in. `idAttribute`: where in that answer the user's id is. */
export function genericOAuth(
  settings: ClientSettings & {
    authorizationEndpoint: string;
    tokenEndpoint: string;
    userEndpoint: string;
    idAttribute: string;
  },
): OAuthProvider {
  const { clientId, clientSecret, scopes, authorizationEndpoint, tokenEndpoint, userEndpoint } = settings;
  return {
    protocol: "oauth",
    clientId,
    clientSecret: { kind: "shared", secret: clientSecret },
    scopes,
    claims: {
      ...standardClaims,
      id: [settings.idAttribute],
      userName: ["preferred_username", "username", "login", "email"],
    },
    loginHintParameter: "login_hint",
    authorizationEndpoint,
    tokenEndpoint,
    userEndpoint,
  };
}

/** Google's ID token holds the whole profile. */
export const google = (settings: ClientSettings): OidcProvider => ({
  ...oidc(settings),
  issuer: "https://accounts.google.com",
  idTokenOnly: true,
  claims: { ...standardClaims, userName: ["email"] },
});

/** GitLab's ID token holds the subject and little else; its user info has the rest. */
export const gitLab = (settings: ClientSettings): OidcProvider => ({
  ...oidc(settings),
  issuer: "https://gitlab.com",
  idTokenOnly: false,
});

/** GitHub speaks OAuth 2.0 only. A profile shows an address if its owner likes; the list knows which is verified. */
export const gitHub = ({ clientId, clientSecret, scopes }: ClientSettings): OAuthProvider => ({
  protocol: "oauth",
  clientId,
  clientSecret: { kind: "shared", secret: clientSecret },
  scopes: scopes.length > 0 ? scopes : ["read:user", "user:email"],
  claims: {
    ...standardClaims,
    id: ["id"],
    userName: ["login"],
    avatarUrl: ["avatar_url"],
    profileUrl: ["html_url"],
  },
  loginHintParameter: "login",
  authorizationEndpoint: "https://github.com/login/oauth/authorize",
  tokenEndpoint: "https://github.com/login/oauth/access_token",
  userEndpoint: "https://api.github.com/user",
  emailsEndpoint: "https://api.github.com/user/emails",
});

/** Which accounts Microsoft lets in: every one, those of organizations, private ones, or those of one tenant by id. */
export type EntraTenant = "common" | "organizations" | "consumers" | { id: string };

/**
 * Microsoft Entra (Azure AD). `oid` is the account, the same for every application; `sub` would be another for each.
 * Whoever owns a tenant writes its addresses, so they count as verified only where the operator trusts the tenant.
 */
export const entra = (
  settings: ClientSettings & { tenant: EntraTenant; emailVerified: boolean },
): OidcProvider => ({
  ...oidc(settings),
  issuer: `https://login.microsoftonline.com/${encodeURIComponent(
    typeof settings.tenant === "string" ? settings.tenant : settings.tenant.id,
  )}/v2.0`,
  idTokenOnly: false,
  claims: { ...standardClaims, id: ["oid", "sub"] },
  emailVerified: settings.emailVerified,
});

/** Apple answers with a form, and without a user info endpoint: its ID token is all there is, but for the name. */
export const apple = (settings: {
  clientId: string;
  teamId: string;
  keyId: string;
  privateKey: string;
  scopes: readonly string[];
}): OidcProvider => {
  const { clientId, teamId, keyId, privateKey, scopes } = settings;
  return {
    ...oidc({ clientId, scopes: scopes.length > 0 ? scopes : ["openid", "name", "email"] }),
    clientSecret: { kind: "apple", teamId, keyId, privateKey },
    issuer: "https://appleid.apple.com",
    idTokenOnly: true,
    responseMode: "form_post",
  };
};

function oidc({
  clientId,
  clientSecret = "",
  scopes,
}: {
  clientId: string;
  clientSecret?: string;
  scopes: readonly string[];
}) {
  const secret: ClientSecret = { kind: "shared", secret: clientSecret };
  const asked = scopes.length > 0 ? scopes : ["openid", "profile", "email"];
  return {
    protocol: "oidc" as const,
    clientId,
    clientSecret: secret,
    // Without this one there is no ID token (Core §3.1.2.1).
    scopes: asked.includes("openid") ? asked : ["openid", ...asked],
    claims: standardClaims,
    loginHintParameter: "login_hint",
  };
}
