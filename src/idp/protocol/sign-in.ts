import type { ExternalUser } from "./external-user.ts";

/** What the provider is sent along with the browser. The first three are random, made for this one sign-in. */
export type AuthorizationRequest = {
  state: string;
  /** Comes back in the ID token; not sent to providers without one. */
  nonce: string;
  /** 43 to 128 characters (RFC 7636 §4.1). */
  codeVerifier: string;
  redirectUri: string;
  /** Which account to suggest. */
  loginHint?: string;
};

/** Whoever signed in, and the provider's tokens for them. */
export type SignIn = {
  user: ExternalUser;
  accessToken: string;
  /** Checked where the provider speaks OpenID Connect; what a plain OAuth 2.0 provider adds is passed on as it is. */
  idToken?: string;
  refreshToken?: string;
};

/** The parameters of the callback, from its query or its form. */
export type CallbackParameters = URLSearchParams;
