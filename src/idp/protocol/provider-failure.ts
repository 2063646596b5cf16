import { AuthorizationResponseError, ClientError, ResponseBodyError } from "openid-client";

/**
 * A sign-in that the provider refused, or that went wrong on the way. `error` and the message are for the redirect
 * (RFC 6749 §4.1.2.1); both are public. Nothing the provider sent is kept as a cause, since its answers hold tokens.
 *
 * Besides the errors a provider names itself: `temporarily_unavailable` (not reached, or not in time),
 * `invalid_id_token`, `server_error` (an answer that makes no sense) and `invalid_request`.
 */
export class ProviderFailure extends Error {
  readonly error: string;

  constructor(error: string, description: string) {
    super(description);
    this.name = "ProviderFailure";
    this.error = error;
  }
}

/** Longer descriptions are cut: the text goes into a URL. */
const MAX_DESCRIPTION = 200;

const MAX_CAUSES = 5;

/** Codes of `openid-client` for an ID token that does not hold. */
const idTokenCodes = new Set([
  "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
  "OAUTH_JWT_TIMESTAMP_CHECK_FAILED",
  "OAUTH_KEY_SELECTION_FAILED",
  "OAUTH_UNSUPPORTED_OPERATION",
]);

/** What a redirect may say about anything that was thrown while talking to a provider. */
export function failureOf(thrown: unknown): ProviderFailure {
  for (const error of causes(thrown)) {
    if (error instanceof ProviderFailure) return error;
    if (error instanceof AuthorizationResponseError) return refusal(error.error, error.error_description);
    if (error instanceof ResponseBodyError) {
      const { error: code, error_description: description } = error;
      return refusal(code, description ?? "the identity provider refused the request");
    }
    if (isTimeout(error)) {
      return new ProviderFailure("temporarily_unavailable", "the identity provider did not answer in time");
    }
    if (error instanceof TypeError && error.message === "fetch failed") {
      return new ProviderFailure("temporarily_unavailable", "the identity provider could not be reached");
    }
    if (isIdTokenError(error)) {
      return new ProviderFailure("invalid_id_token", "the identity provider's ID token is not valid");
    }
  }
  return new ProviderFailure("server_error", "the identity provider's answer could not be understood");
}

function causes(thrown: unknown): unknown[] {
  const found = [thrown];
  while (found.length < MAX_CAUSES) {
    const last = found.at(-1);
    if (!(last instanceof Error) || last.cause === undefined) break;
    found.push(last.cause);
  }
  return found;
}

const isIdTokenError = (error: unknown): boolean =>
  error instanceof ClientError
    ? idTokenCodes.has(error.code ?? "")
    : // The code of a wrong signature is that of any malformed answer.
      error instanceof Error && error.message === "JWT signature verification failed";

const isTimeout = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError");

/** An error the provider named, kept to the characters the RFC allows (§4.1.2.1). */
function refusal(error: string, description: string | undefined): ProviderFailure {
  const readable = (text: string) => text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, " ").trim();
  const code = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(error) ? error : "server_error";
  return new ProviderFailure(code, readable(description ?? "").slice(0, MAX_DESCRIPTION));
}
