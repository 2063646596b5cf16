import { TokenRefusal } from "../auth/token-refusal.ts";
import type { ClientCredentials } from "../user/access-grants.ts";

/** The parameters the token endpoint looks at; all others are ignored, as RFC 6749 §3.2 wants it. */
const names = ["grant_type", "assertion", "client_id", "client_secret", "client_assertion"] as const;

export type TokenParameters = { readonly [name in (typeof names)[number]]?: string };

/**
 * The parameters of a request to the token endpoint. An empty one counts as absent (RFC 6749 §3.2).
 * @throws TokenRefusal `invalid_request`: no form, or a parameter given twice
 */
export function tokenParameters(contentType: string | undefined, body: Uint8Array): TokenParameters {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? "")) {
    throw new TokenRefusal("invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  const form = new URLSearchParams(Buffer.from(body).toString());
  const parameters: { [name in (typeof names)[number]]?: string } = {};
  for (const name of names) {
    const values = form.getAll(name);
    if (values.length > 1) throw new TokenRefusal("invalid_request", `${name} is given more than once`);
    if (values[0]) parameters[name] = values[0];
  }
  return parameters;
}

/**
 * How the client says who it is, if it does: in the `Authorization` header (client_secret_basic) or in the form
 * (client_secret_post), RFC 6749 §2.3.1.
 * @throws TokenRefusal `invalid_client` for any other way, `invalid_request` for two at once
 */
export function clientCredentials(
  authorization: string | undefined,
  { client_id: clientId, client_secret: clientSecret, client_assertion }: TokenParameters,
): ClientCredentials | undefined {
  if (client_assertion !== undefined) {
    throw new TokenRefusal("invalid_client", "client assertions are not accepted, assertions as grant are");
  }
  if (authorization === undefined) {
    if (clientSecret === undefined) return undefined;
    if (clientId === undefined) throw new TokenRefusal("invalid_request", "client_id is missing");
    return { clientId, clientSecret };
  }
  if (clientSecret !== undefined) {
    throw new TokenRefusal("invalid_request", "the client must not authenticate in two ways");
  }
  const credentials = basicCredentials(authorization);
  if (!credentials) throw new TokenRefusal("invalid_client", "the authorization header is no Basic one");
  return credentials;
}

/** RFC 7617, with both halves form-encoded as RFC 6749 §2.3.1 adds. */
function basicCredentials(authorization: string): ClientCredentials | undefined {
  const encoded = /^basic +([\w+/-]+=*) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  const colon = text.indexOf(":");
  if (colon < 0) return undefined;
  try {
    const [clientId, clientSecret] = [formDecoded(text.slice(0, colon)), formDecoded(text.slice(colon + 1))];
    return { clientId, clientSecret };
  } catch {
    return undefined;
  }
}

/** @throws URIError if a percent sign is not followed by what it should be */
const formDecoded = (text: string): string => decodeURIComponent(text.replaceAll("+", " "));
