import { NoAnswer, post } from "./http-post.ts";

/** Who asks an OAuth token endpoint for a token of its own (RFC 6749 §4.4). */
export type ClientCredentials = {
  tokenEndpoint: string;
  scopes: readonly string[];
  clientId: string;
  clientSecret: string;
};

/** The token endpoint gave none. The message is fit for a log. */
export class NoAccessToken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NoAccessToken";
  }
}

const TIMEOUT_MS = 5_000;
/** A token is not used in its last minute: it would run out on the way. */
const MARGIN_MS = 60_000;
/** What a token without `expires_in` is taken to be good for. */
const DEFAULT_LIFETIME_MS = 5 * 60_000;

/** Access tokens of client credentials, each kept until shortly before it expires. */
export class FetchedTokens {
  readonly #kept = new Map<string, { token: string; until: number }>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @throws NoAccessToken */
  async get(credentials: ClientCredentials): Promise<string> {
    const key = keyOf(credentials);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#now() < kept.until) return kept.token;
    const { token, lifetimeMs } = await ask(credentials);
    // One entry a provider, of which there are few; what has expired goes now.
    for (const [other, { until }] of this.#kept) if (until <= this.#now()) this.#kept.delete(other);
    this.#kept.set(key, { token, until: this.#now() + lifetimeMs - MARGIN_MS });
    return token;
  }

  /** Forgets a token that was not taken. */
  drop(credentials: ClientCredentials): void {
    this.#kept.delete(keyOf(credentials));
  }
}

const keyOf = ({ tokenEndpoint, scopes, clientId, clientSecret }: ClientCredentials): string =>
  JSON.stringify([tokenEndpoint, scopes, clientId, clientSecret]);

async function ask({ tokenEndpoint, scopes, clientId, clientSecret }: ClientCredentials) {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
  });
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
  const answer = await post(tokenEndpoint, headers, form.toString(), TIMEOUT_MS).catch((error) => {
    throw error instanceof NoAnswer ? new NoAccessToken(`token endpoint: ${error.message}`) : error;
  });
  const grant = answer.status === 200 ? readGrant(answer.body) : undefined;
  if (grant === undefined) throw new NoAccessToken(`token endpoint: HTTP ${answer.status} without a token`);
  return grant;
}

function readGrant(body: string): { token: string; lifetimeMs: number } | undefined {
  try {
    const { access_token: token, expires_in: seconds } = JSON.parse(body) as Record<string, unknown>;
    if (typeof token !== "string" || token === "") return undefined;
    const lifetimeMs = Number(seconds) * 1_000;
    return { token, lifetimeMs: lifetimeMs > 0 ? lifetimeMs : DEFAULT_LIFETIME_MS };
  } catch {
    return undefined;
  }
}
