import type { IncomingHttpHeaders } from "node:http";
import type { HeaderFields } from "./node-http.ts";

export type CorsOptions = {
  /** Origins that may call from a browser, `https://app.example`; `*` stands for every origin. */
  origins: readonly string[];
};

export type Cors = {
  /** Headers every answer to this request carries. */
  headersFor(origin: string | undefined): HeaderFields;
  /** The answer to a pre-flight; undefined if the request is none. */
  preflight(method: string | undefined, headers: IncomingHttpHeaders): HeaderFields | undefined;
};

const allowedMethods = "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE";

const allowedHeaders = [
  "origin",
  "content-type",
  "accept",
  "accept-language",
  "authorization",
  "x-zitadel-orgid",
  "x-user-agent",
  "x-grpc-web",
  "x-requested-with",
  "connect-protocol-version",
  "connect-timeout-ms",
  "grpc-timeout",
].join(", ");

const exposedHeaders = [
  "location",
  "content-length",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
  "x-request-id",
].join(", ");

const preflightLifetimeSeconds = "7200";

/**
 * Cross-origin answers for RPC and REST paths alike. An allowed origin is reflected rather than answered with `*`,
 * which browsers refuse beside credentials; so every answer varies by origin.
 */
export function createCors({ origins }: CorsOptions): Cors {
  const any = origins.includes("*");
  const known = new Set(origins);
  const denied: HeaderFields = origins.length === 0 ? {} : { vary: "origin" };

  const allowed = (origin: string | undefined): origin is string =>
    origin !== undefined && (any || known.has(origin));
  const reflected = (origin: string): HeaderFields => ({
    vary: "origin",
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
  });

  return {
    headersFor: (origin) =>
      allowed(origin) ? { ...reflected(origin), "access-control-expose-headers": exposedHeaders } : denied,
    preflight(method, headers) {
      if (method !== "OPTIONS" || headers.origin === undefined) return undefined;
      if (headers["access-control-request-method"] === undefined) return undefined;
      if (!allowed(headers.origin)) return denied;
      return {
        ...reflected(headers.origin),
        "access-control-allow-methods": allowedMethods,
        "access-control-allow-headers": allowedHeaders,
        "access-control-max-age": preflightLifetimeSeconds,
      };
    },
  };
}
