import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Readable } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { endTogether } from "./end-together.ts";

/** A request and a response of HTTP/1.1 or HTTP/2; Node gives both the same shape. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Response headers by lower case name. */
export type HeaderFields = Record<string, string>;

/** Headers as Node parsed them as a `Headers`, with HTTP/2's `:authority` under its old name `host`. */
export function headersOf(fields: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    if (name.charCodeAt(0) === 58 /* : */) {
      if (name === ":authority" && fields.host === undefined) headers.set("host", value as string);
    } else if (typeof value === "string") {
      headers.set(name, value);
    } else {
      for (const item of value) headers.append(name, item);
    }
  }
  return headers;
}

/** Whoever waits for an answer. */
export type Client = {
  /** Whether nobody waits any more. */
  readonly isGone: boolean;
  /** Calls back when the client goes away before its answer is complete. */
  onGone(listener: () => void): void;
};

export const clientOf = (response: NodeResponse): Client => ({
  get isGone() {
    return isGone(response);
  },
  onGone(listener) {
    response.once("close", () => {
      if (!response.writableEnded) listener();
    });
  },
});

/** Aborted when the client goes away before its answer is complete. */
export function disconnectSignal(response: NodeResponse): AbortSignal {
  const controller = new AbortController();
  clientOf(response).onGone(() => controller.abort(new ConnectError("the client went away", Code.Canceled)));
  return controller.signal;
}

/**
 * The whole body as one piece. One growing buffer, because a list of chunks is a gift to whoever sends
 * a mebibyte in frames of one byte.
 * @param announced the Content-Length, if there is one
 * @throws ConnectError RESOURCE_EXHAUSTED above `maxBytes` (the rest is read and thrown away), CANCELED if the client went away
 */
export function readAll(
  source: Readable,
  announced: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(announced) > maxBytes) {
      source.resume();
      reject(bodyTooLarge(maxBytes));
      return;
    }
    let body: Uint8Array = noBytes;
    let length = 0;
    let settled = false;

    const onData = (chunk: Buffer) => {
      if (settled) return;
      const needed = length + chunk.byteLength;
      if (needed > maxBytes) {
        settled = true;
        body = noBytes;
        reject(bodyTooLarge(maxBytes));
        return;
      }
      if (length === 0) {
        body = chunk;
      } else {
        if (body.byteLength < needed) {
          const grown = new Uint8Array(Math.max(needed, Math.min(length * 2, maxBytes)));
          grown.set(body.subarray(0, length));
          body = grown;
        }
        body.set(chunk, length);
      }
      length = needed;
    };
    const onEnd = () => {
      settled = true;
      resolve(length === body.byteLength ? body : body.subarray(0, length));
    };
    const onGone = () => {
      if (settled) return;
      settled = true;
      reject(new ConnectError("the client went away", Code.Canceled));
    };
    if (source.destroyed && !source.readableEnded) return onGone();
    source.on("data", onData).on("end", onEnd).on("close", onGone);
  });
}

const noBytes = new Uint8Array(0);

/** The body of a request; {@link readAll} says how. */
export const readBody = (request: NodeRequest, maxBytes: number): Promise<Uint8Array> =>
  readAll(request, request.headers["content-length"], maxBytes);

const bodyTooLarge = (maxBytes: number) =>
  new ConnectError(`the request body is larger than ${maxBytes} bytes`, Code.ResourceExhausted);

/** A body that is already here, in the shape the universal handlers read. */
export const bodyOf = (bytes: Uint8Array): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]() {
    let done = bytes.byteLength === 0;
    return {
      next() {
        if (done) return Promise.resolve({ done: true, value: undefined });
        done = true;
        return Promise.resolve({ done: false, value: bytes });
      },
    };
  },
});

/** A body read whole when it is first asked for; whoever asks meets the error of reading and reports it in its own protocol. */
export const wholeBody = (read: () => Promise<Uint8Array>): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]() {
    let done = false;
    return {
      async next() {
        if (done) return { done: true, value: undefined };
        done = true;
        return { done: false, value: await read() };
      },
    };
  },
});

/** A body of many messages, read as they come; stopping early leaves the response alone. */
export const streamedBody = (request: NodeRequest): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>,
});

/**
 * Writes a universal answer; `extra` goes on top of its headers. A client that left is no error.
 * @throws whatever kept the answer from being made; the response is cut then
 */
export async function sendUniversal(
  answer: UniversalServerResponse,
  extra: HeaderFields,
  response: NodeResponse,
): Promise<void> {
  // The two response types agree on everything used here, but not on their overloads.
  const out = response as ServerResponse;
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    let next = await chunks?.next();
    if (isGone(response)) return;
    out.writeHead(answer.status, answerFields(answer, extra, next?.done === true));
    while (next !== undefined && next.done !== true) {
      if (!out.write(next.value) && !isGone(response)) await drained(out);
      if (isGone(response)) return;
      next = await chunks?.next();
    }
    if (answer.trailer) out.addTrailers(headerFields(answer.trailer));
    out.end();
  } catch (error) {
    if (isGone(response)) return;
    out.destroy();
    throw error;
  } finally {
    chunks?.return?.().catch(() => {});
  }
}

/** Writes a complete answer. */
export function sendBytes(
  response: NodeResponse,
  status: number,
  headers: HeaderFields,
  body: Uint8Array | string = "",
): void {
  const out = response as ServerResponse;
  if (isGone(response)) return;
  const length = Buffer.byteLength(body);
  // 204 has no body, and announcing its length is forbidden.
  out.writeHead(status, status === 204 ? headers : { ...headers, "content-length": String(length) });
  // Node puts ASCII into one piece with the headers.
  const bytes = length === body.length ? body : Buffer.from(body);
  if ("stream" in response) out.end(bytes, "latin1");
  else endTogether(response, bytes);
}

// An HTTP/2 response does not say so itself.
export const isGone = (response: NodeResponse): boolean =>
  "stream" in response ? response.stream.destroyed : response.destroyed;

const requestIdName = "x-request-id";
const messageName = "grpc-message";

/** The headers of an answer, with `extra` on top. */
export function answerFields(
  { header, trailer }: UniversalServerResponse,
  extra: HeaderFields,
  isEmpty: boolean,
): HeaderFields {
  const fields = { ...headerFields(header), ...extra };
  // A failed gRPC call names its request in the trailers; clients would join that with the header.
  if (isEmpty && trailer?.has(requestIdName)) delete fields[requestIdName];
  return fields;
}

/** Headers or trailers as Node takes them. */
export function headerFields(headers: Headers | undefined): HeaderFields {
  if (headers === undefined) return {};
  const fields: HeaderFields = Object.fromEntries(headers);
  const message = fields[messageName];
  if (message !== undefined) fields[messageName] = sparinglyEncoded(message);
  return fields;
}

/**
 * The text of an error with only those bytes percent-encoded that gRPC wants encoded: all but printable ASCII, and the
 * percent sign (grpc/doc/PROTOCOL-HTTP2.md, Percent-Encoded). Connect encodes as for a URL, and clients that do not
 * decode at all show that to people.
 */
function sparinglyEncoded(message: string): string {
  return message.replace(/%([2-7][0-9A-F])/gi, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character === "%" || character === "\x7f" ? encoded : character;
  });
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
