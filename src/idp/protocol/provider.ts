import type { ClaimMapping } from "./external-user.ts";

/** How the client proves itself at the token endpoint. */
export type ClientSecret =
  | { kind: "shared"; secret: string }
  /** Apple has no secret to share: each request carries a JWT signed with this PKCS #8 key (PEM). */
  | { kind: "apple"; teamId: string; keyId: string; privateKey: string };

type Client = {
  clientId: string;
  clientSecret: ClientSecret;
  scopes: readonly string[];
  claims: ClaimMapping;
  /** Name of the parameter that suggests an account; `login_hint` in OpenID Connect. */
  loginHintParameter: string;
};

/** A provider of OpenID Connect: endpoints and keys come from its discovery document. */
export type OidcProvider = Client & {
  protocol: "oidc";
  issuer: string;
  /** Take the user from the ID token alone; else the user info endpoint has the last word, where there is one. */
  idTokenOnly: boolean;
  /** How the answer comes back; absent: in the query. */
  responseMode?: "form_post";
  /** What to believe of e-mail addresses whatever the claims say; absent: the claims. */
  emailVerified?: boolean;
};

/** A provider of plain OAuth 2.0: nothing is discovered, and who signed in is asked at an endpoint of its own. */
export type OAuthProvider = Client & {
  protocol: "oauth";
  authorizationEndpoint: string;
  tokenEndpoint: string;
  userEndpoint: string;
  /** Lists the user's addresses and whether they are verified, as GitHub does. */
  emailsEndpoint?: string;
};

/** An identity provider, as far as the protocol goes. */
export type Provider = OidcProvider | OAuthProvider;
