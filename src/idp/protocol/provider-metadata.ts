import {
  allowInsecureRequests,
  type ClientAuth,
  Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  type ExportedJWKSCache,
  enableNonRepudiationChecks,
  getJwksCache,
  setJwksCache,
} from "openid-client";
import { BoundedCache } from "./bounded-cache.ts";
import type { OAuthProvider, OidcProvider, Provider } from "./provider.ts";
import { ProviderFailure } from "./provider-failure.ts";

const MAX_PROVIDERS = 200;
const MAX_AGE_MS = 10 * 60_000;

/** What one conversation with a provider is made with. */
export type Conversation = { fetch: CustomFetch; authentication: ClientAuth };

/**
 * What `openid-client` has to know of a provider. Discovery documents and key sets are kept for ten minutes at most
 * (keys for five, and fetched anew after one if an unknown key turns up: `oauth4webapi` sees to that).
 */
export class ProviderMetadata {
  readonly #documents = new BoundedCache<string>({ maxEntries: MAX_PROVIDERS, maxAgeMs: MAX_AGE_MS });
  readonly #keys = new BoundedCache<ExportedJWKSCache>({ maxEntries: MAX_PROVIDERS, maxAgeMs: MAX_AGE_MS });

  /** @throws ProviderFailure or an error of `openid-client` if the provider cannot be discovered */
  async configure(provider: Provider, conversation: Conversation): Promise<Configuration> {
    const configuration =
      provider.protocol === "oidc"
        ? await this.#discovered(provider, conversation)
        : described(provider, conversation.authentication);
    configuration[customFetch] = conversation.fetch;
    // Which addresses may be plain HTTP is the fetch's to say.
    allowInsecureRequests(configuration);
    return configuration;
  }

  /** Keeps the keys the conversation brought. */
  remember(configuration: Configuration): void {
    const { jwks_uri: address } = configuration.serverMetadata();
    const keys = getJwksCache(configuration);
    if (address !== undefined && keys !== undefined) this.#keys.set(address, keys, performance.now());
  }

  async #discovered(provider: OidcProvider, { fetch, authentication }: Conversation): Promise<Configuration> {
    const { issuer, clientId } = provider;
    // Such an address would be read as it is, and whatever issuer the document names be believed.
    if (!URL.canParse(issuer) || issuer.includes("/.well-known/")) {
      throw new ProviderFailure("server_error", "the identity provider's issuer is not valid");
    }
    let received: string | undefined;
    const known = this.#documents.get(issuer, performance.now());
    const configuration = await discovery(new URL(issuer), clientId, undefined, authentication, {
      execute: [allowInsecureRequests],
      [customFetch]: async (url, options) => {
        if (known !== undefined)
          return new Response(known, { headers: { "content-type": "application/json" } });
        const response = await fetch(url, options);
        received = await response.clone().text();
        return response;
      },
    });
    if (received !== undefined) this.#documents.set(issuer, received, performance.now());

    // Otherwise the signature of an ID token from the token endpoint is taken on trust in TLS (Core §3.1.3.7, 6).
    enableNonRepudiationChecks(configuration);
    const keys = this.#keys.get(configuration.serverMetadata().jwks_uri ?? "", performance.now());
    if (keys !== undefined) setJwksCache(configuration, keys);
    return configuration;
  }
}

function described(provider: OAuthProvider, authentication: ClientAuth): Configuration {
  const { authorizationEndpoint, tokenEndpoint, clientId } = provider;
  return new Configuration(
    {
      // OAuth 2.0 has no issuer; nothing is compared with this one.
      issuer: authorizationEndpoint,
      authorization_endpoint: authorizationEndpoint,
      token_endpoint: tokenEndpoint,
    },
    clientId,
    undefined,
    authentication,
  );
}
