import { buildAuthorizationUrl, calculatePKCECodeChallenge } from "openid-client";
import { isAllowedUrl } from "./allowed-url.ts";
import { appleClientSecret } from "./apple-client-secret.ts";
import { boundedFetch } from "./bounded-fetch.ts";
import { ClientAuthentication } from "./client-authentication.ts";
import { signInWithOAuth, tokenExtras } from "./oauth-sign-in.ts";
import { signInWithOidc } from "./oidc-sign-in.ts";
import type { Provider } from "./provider.ts";
import { failureOf, ProviderFailure } from "./provider-failure.ts";
import { ProviderMetadata } from "./provider-metadata.ts";
import type { AuthorizationRequest, CallbackParameters, SignIn } from "./sign-in.ts";

const DEFAULT_TIMEOUT_MS = 10_000;

export type ProviderClientOptions = {
  /** Plain HTTP to any host; else only to the machine itself. */
  allowInsecure: boolean;
  /** For everything one call asks of a provider. */
  timeoutMs?: number;
  clock: () => Date;
};

/** Parameters of the protocol; whatever else a callback is called with is none of its business. */
const protocolParameters = ["code", "state", "iss", "error", "error_description"];

/**
 * Signing in at somebody else's: the authorization code flow with PKCE (RFC 7636) at OpenID Connect and OAuth 2.0
 * providers. Every failure is a {@link ProviderFailure}, a provider that does not answer included.
 */
export class ProviderClient {
  readonly #options: ProviderClientOptions;
  readonly #metadata = new ProviderMetadata();

  constructor(options: ProviderClientOptions) {
    this.#options = options;
  }

  /** Whether a provider may be talked to under this address. */
  allows(url: string): boolean {
    return isAllowedUrl(url, this.#options.allowInsecure);
  }

  /**
   * Where to send the browser.
   * @throws ProviderFailure if the provider cannot be discovered or names an address that is not allowed
   */
  async authorizationUrl(provider: Provider, request: AuthorizationRequest): Promise<string> {
    const { state, nonce, codeVerifier, redirectUri, loginHint } = request;
    try {
      const configuration = await this.#metadata.configure(provider, {
        fetch: this.#fetch(),
        authentication: () => {},
      });
      const address = buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: provider.scopes.join(" "),
        state,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: "S256",
        ...(provider.protocol === "oidc" ? { nonce } : {}),
        ...(provider.protocol === "oidc" && provider.responseMode
          ? { response_mode: provider.responseMode }
          : {}),
        ...(loginHint ? { [provider.loginHintParameter]: loginHint } : {}),
      }).href;
      if (!isAllowedUrl(address, this.#options.allowInsecure)) {
        throw new ProviderFailure(
          "server_error",
          "the identity provider names an address that is not allowed",
        );
      }
      return address;
    } catch (error) {
      throw failureOf(error);
    }
  }

  /**
   * Finishes a sign-in with what the provider sent back: tokens, and who it was.
   * @param request the same values as for {@link authorizationUrl}
   * @throws ProviderFailure what the provider refused, or why its answer is not believed
   */
  async exchange(
    provider: Provider,
    parameters: CallbackParameters,
    request: AuthorizationRequest,
  ): Promise<SignIn> {
    try {
      const callback = new URL(request.redirectUri);
      for (const [name, value] of parameters) {
        if (protocolParameters.includes(name)) callback.searchParams.append(name, value);
      }
      const authentication = new ClientAuthentication(await this.#secretOf(provider));
      const { authenticate } = authentication;
      if (provider.protocol === "oauth") {
        const { fetch, extras } = tokenExtras(provider, this.#fetch());
        const configuration = await this.#metadata.configure(provider, {
          fetch,
          authentication: authenticate,
        });
        return await signInWithOAuth(provider, configuration, authentication, callback, request, extras);
      }
      const configuration = await this.#metadata.configure(provider, {
        fetch: this.#fetch(),
        authentication: authenticate,
      });
      const signIn = await signInWithOidc(
        provider,
        configuration,
        authentication,
        callback,
        request,
        parameters,
      );
      this.#metadata.remember(configuration);
      return signIn;
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** A fetch for one call: its deadline begins now. */
  #fetch() {
    const { allowInsecure, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    return boundedFetch({ allowInsecure, deadline: AbortSignal.timeout(timeoutMs) });
  }

  async #secretOf({ clientId, clientSecret }: Provider): Promise<string> {
    return clientSecret.kind === "shared"
      ? clientSecret.secret
      : appleClientSecret({ clientId, ...clientSecret }, this.#options.clock());
  }
}
