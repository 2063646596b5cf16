import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import { TokenRefusal } from "../auth/token-refusal.ts";
import { DomainError } from "../errors.ts";
import {
  type AccessGrantDependencies,
  authenticateClient,
  grantByAssertion,
  grantByClientCredentials,
  type IssuedToken,
} from "../user/access-grants.ts";
import { elapsedMs } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { type HeaderFields, type NodeRequest, readBody, sendBytes } from "./node-http.ts";
import { clientCredentials, tokenParameters } from "./token-request.ts";

export type TokenEndpointOptions = {
  grants: AccessGrantDependencies;
  /** Undefined: the server goes by the name it is called. */
  publicUrl: string | undefined;
  logger: Logger;
};

export const TOKEN_PATH = "/oauth/v2/token";

/** No assertion and no secret needs more. */
const MAX_BODY_BYTES = 65_536;

/** An answer, and what the log calls it. */
type Answer = { status: number; outcome: string; body: object; headers?: HeaderFields };

/**
 * `POST /oauth/v2/token` (RFC 6749 §3.2): service accounts exchange a signed assertion (RFC 7523) or their client secret
 * for an access token.
 * @returns answers one request; resolves to the HTTP status
 */
export function createTokenEndpoint(options: TokenEndpointOptions): (exchange: Exchange) => Promise<number> {
  return async (exchange) => {
    const { request, response, call, headers } = exchange;
    call.began = true;
    const answer = await answerOf(options, exchange).catch((error: unknown) => {
      const refused = refusal(error);
      if (refused.status >= 500)
        options.logger.error({ err: error, requestId: call.requestId }, "internal error");
      return refused;
    });
    options.logger.info(
      {
        method: TOKEN_PATH.slice(1),
        protocol: call.protocol,
        code: answer.outcome,
        durationMs: elapsedMs(call),
        requestId: call.requestId,
      },
      "call",
    );
    // What is left of a body nobody read would keep the connection from its next request.
    request.resume();
    const fields = { ...headers, ...fixedHeaders, ...answer.headers, "x-request-id": call.requestId };
    sendBytes(response, answer.status, fields, JSON.stringify(answer.body));
    return answer.status;
  };
}

const fixedHeaders: HeaderFields = {
  "content-type": "application/json",
  "cache-control": "no-store",
  pragma: "no-cache",
};

async function answerOf(options: TokenEndpointOptions, { request, maxBodyBytes }: Exchange): Promise<Answer> {
  if (request.method !== "POST") {
    const wrong = refusal(new TokenRefusal("invalid_request", "the token endpoint takes POST only"));
    return { ...wrong, status: 405, headers: { allow: "POST" } };
  }
  const body = await readBody(request, Math.min(maxBodyBytes, MAX_BODY_BYTES));
  const { accessToken, expiresInSeconds } = await issued(options, request, body);
  return {
    status: 200,
    outcome: "ok",
    body: { access_token: accessToken, token_type: "Bearer", expires_in: expiresInSeconds },
  };
}

async function issued(
  { grants, publicUrl }: TokenEndpointOptions,
  request: NodeRequest,
  body: Uint8Array,
): Promise<IssuedToken> {
  const parameters = tokenParameters(request.headers["content-type"], body);
  const client = clientCredentials(request.headers.authorization, parameters);
  switch (parameters.grant_type) {
    case undefined:
      throw new TokenRefusal("invalid_request", "grant_type is missing");
    case "client_credentials":
      if (!client) throw new TokenRefusal("invalid_client", "client_id and client_secret are missing");
      return grantByClientCredentials(grants, client);
    case "urn:ietf:params:oauth:grant-type:jwt-bearer":
      // Nobody has to, but who does must be right (RFC 7523 §3.1).
      if (client) await authenticateClient(grants, client);
      if (!parameters.assertion) throw new TokenRefusal("invalid_request", "assertion is missing");
      return grantByAssertion(grants, parameters.assertion, audiences(publicUrl, request));
    default:
      throw new TokenRefusal("unsupported_grant_type", "the grant type is not supported");
  }
}

/** What an assertion may call this server: its address, or that of this endpoint. */
function audiences(publicUrl: string | undefined, { headers }: NodeRequest): string[] {
  const host = headers[":authority"] ?? headers.host;
  // Without a public URL the host the request came to has to do, and nobody knows what a proxy speaks on its other side.
  const issuers = publicUrl ? [publicUrl] : host ? [`https://${host}`, `http://${host}`] : [];
  return issuers.flatMap((issuer) => [issuer, `${issuer}/`, issuer + TOKEN_PATH]);
}

/** RFC 6749 §5.2; what is not the client's fault is told in the words of its §4.1.2.1. */
function refusal(error: unknown): Answer {
  if (error instanceof TokenRefusal) {
    const { code, message } = error;
    const isUnauthorized = code === "invalid_client";
    return {
      status: isUnauthorized ? 401 : 400,
      outcome: code,
      body: { error: code, error_description: message },
      ...(isUnauthorized
        ? { headers: { "www-authenticate": 'Basic realm="gatehouse", charset="UTF-8"' } }
        : {}),
    };
  }
  if (error instanceof ConnectError) {
    const status = error.code === Code.ResourceExhausted ? 413 : 400;
    const body = { error: "invalid_request", error_description: error.rawMessage };
    return { status, outcome: "invalid_request", body };
  }
  const isUnavailable = error instanceof DomainError && error.slug === "storage.unavailable";
  const code = isUnavailable ? "temporarily_unavailable" : "server_error";
  return { status: isUnavailable ? 503 : 500, outcome: code, body: { error: code } };
}
