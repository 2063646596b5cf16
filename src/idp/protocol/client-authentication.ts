import {
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { ProviderFailure } from "./provider-failure.ts";

type Method = "client_secret_post" | "client_secret_basic";

/**
 * How the secret is sent to the token endpoint. Providers differ in what they take and not all of them say, so where
 * one way was refused the other is tried, as `golang.org/x/oauth2` does: whoever refuses a client has not looked at
 * the code yet.
 */
export class ClientAuthentication {
  readonly #secret: string;
  #methods: readonly Method[] = ["client_secret_post", "client_secret_basic"];

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param methods what the provider takes according to its discovery document; absent: it does not say */
  restrictTo(methods: readonly string[] | undefined): void {
    const possible = this.#methods.filter((method) => methods?.includes(method));
    if (possible.length > 0) this.#methods = possible;
  }

  /** For `openid-client`: the way that is up next. */
  readonly authenticate: ClientAuth = (server, client, body, headers) => {
    const send = this.#methods[0] === "client_secret_basic" ? ClientSecretBasic : ClientSecretPost;
    return send(this.#secret)(server, client, body, headers);
  };

  /**
   * Makes the request, and again in the other way if the client was refused.
   * @throws ProviderFailure `invalid_client` if it was refused in every way there is
   */
  async attempt<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (!isClientRefused(error)) throw error;
      this.#methods = this.#methods.slice(1);
      if (this.#methods.length > 0) return this.attempt(request);
      throw new ProviderFailure(
        "invalid_client",
        "the identity provider does not know the client or its secret",
      );
    }
  }
}

function isClientRefused(error: unknown): boolean {
  if (error instanceof WWWAuthenticateChallengeError) return error.status === 401;
  return error instanceof ResponseBodyError && error.error === "invalid_client";
}
