import type { IncomingHttpHeaders } from "node:http";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";
import { maxTimerMs } from "../timeout-headers.ts";
import { unwrap } from "./envelope.ts";
import type { Codec } from "./unary-method.ts";

/** What a content type says about a call. */
export type Wire = {
  readonly protocol: "connect" | "grpc" | "grpc-web";
  readonly codec: Codec;
  /** As given, and as answered. */
  readonly contentType: string;
  /** The same in the long form, which the implementation sees. */
  readonly longContentType: string;
};

const wire = (
  protocol: Wire["protocol"],
  codec: Wire["codec"],
  contentType: string,
  long = contentType,
): Wire => ({
  protocol,
  codec,
  contentType,
  longContentType: long,
});

/** The content types the edge takes, letter by letter; parameters, capitals and all others are for the stock handler. */
const wires = new Map(
  [
    wire("connect", "json", "application/json"),
    wire("connect", "binary", "application/proto"),
    wire("grpc", "binary", "application/grpc", "application/grpc+proto"),
    wire("grpc", "binary", "application/grpc+proto"),
    wire("grpc", "json", "application/grpc+json"),
    wire("grpc-web", "binary", "application/grpc-web", "application/grpc-web+proto"),
    wire("grpc-web", "binary", "application/grpc-web+proto"),
    wire("grpc-web", "json", "application/grpc-web+json"),
  ].map((entry) => [entry.contentType, entry]),
);

/** What the headers of an ordinary call say; undefined for whatever the stock handler should look at. */
export type Ordinary = {
  readonly wire: Wire;
  readonly timeoutMs: number | undefined;
  /** Whether the answer may be compressed. */
  readonly gzip: boolean;
};

/** Most calls have no deadline: theirs is here already. */
const timeless = new Map(
  [...wires.values()].map((found) => [
    found,
    {
      plain: { wire: found, timeoutMs: undefined, gzip: false },
      gzip: { wire: found, timeoutMs: undefined, gzip: true },
    },
  ]),
);

/** @returns undefined for a call that is anything but ordinary */
export function readOrdinary(headers: IncomingHttpHeaders, maxBodyBytes: number): Ordinary | undefined {
  const found = wires.get(headers["content-type"] as string);
  if (found === undefined || Number(headers["content-length"]) > maxBodyBytes) return undefined;
  if (found.protocol === "connect") {
    if (headers["content-encoding"] !== undefined || headers["grpc-timeout"] !== undefined) return undefined;
    return ordinary(found, headers["accept-encoding"], headers["connect-timeout-ms"], parseConnectTimeout);
  }
  const encoding = headers["grpc-encoding"];
  if (encoding !== undefined && encoding !== "identity") return undefined;
  if (headers["connect-timeout-ms"] !== undefined) return undefined;
  const result = ordinary(found, headers["grpc-accept-encoding"], headers["grpc-timeout"], parseGrpcTimeout);
  // There even the trailers may be compressed.
  return found.protocol === "grpc-web" && result?.gzip ? undefined : result;
}

function ordinary(
  found: Wire,
  accepted: string | string[] | undefined,
  timeout: string | string[] | undefined,
  parse: typeof parseGrpcTimeout,
): Ordinary | undefined {
  const gzip = accepted !== undefined && acceptsGzip(String(accepted));
  if (timeout === undefined) return timeless.get(found)![gzip ? "gzip" : "plain"];
  const { timeoutMs, error } = parse(String(timeout), maxTimerMs);
  return error === undefined ? { wire: found, timeoutMs, gzip } : undefined;
}

/** As Connect negotiates it: by name, without weights. */
const acceptsGzip = (accepted: string): boolean => accepted.split(",").some((name) => name.trim() === "gzip");

/** The bytes of the one message in a body; undefined if it holds anything else. */
export const messageBytes = (body: Uint8Array, { protocol }: Wire): Uint8Array | undefined =>
  protocol === "connect" ? body : unwrap(body);
