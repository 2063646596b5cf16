import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import { mergeNonProtocolHeaders, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorToJsonBytes, trailerMux } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { compressMinBytes, gzip } from "../compression.ts";
import { trailersOnly } from "../grpc-web-trailers.ts";
import { answerFields, bodyOf, type HeaderFields, headerFields } from "../node-http.ts";
import type { Reply } from "./carrier.ts";
import { compressedFlag, enveloped, trailerFlag } from "./envelope.ts";
import { AnsweredHeaders, realOf, settled, withTrailer } from "./lazy-headers.ts";
import type { Ordinary } from "./protocols.ts";
import type { UnaryCall } from "./unary-call.ts";

/**
 * The answer to a call that went well.
 * @param answer its message, encoded
 * @param extra headers on top
 */
export function replyOfSuccess(
  ordinary: Ordinary,
  response: Pick<UnaryResponse, "header" | "trailer">,
  answer: Uint8Array | string,
  extra: HeaderFields,
): Reply | Promise<Reply> {
  const length = Buffer.byteLength(answer);
  if (ordinary.gzip && length >= compressMinBytes) {
    return gzip
      .compress(bytesOf(answer))
      .then((body) => framed(ordinary, response, body, body.byteLength, true, extra));
  }
  return framed(ordinary, response, answer, length, false, extra);
}

function framed(
  { wire }: Ordinary,
  { header, trailer }: Pick<UnaryResponse, "header" | "trailer">,
  answer: Uint8Array | string,
  length: number,
  isCompressed: boolean,
  extra: HeaderFields,
): Reply {
  if (wire.protocol === "connect") {
    if (isCompressed) header.set("content-encoding", "gzip");
    const muxed = withTrailer(header, trailer);
    muxed.set("content-length", String(length));
    return {
      status: 200,
      fields: flat(muxed, extra),
      body: length === answer.length ? answer : bytesOf(answer),
    };
  }
  const answered = settled(header);
  answered.set("content-type", wire.contentType);
  const fields = flat(answered, extra);
  const message = enveloped(isCompressed ? compressedFlag : 0, bytesOf(answer));
  if (wire.protocol === "grpc") return { status: 200, fields, body: message, trailers: trailersOf(trailer) };
  return { status: 200, fields, body: enveloped(trailerFlag, trailerSerialize(trailer), message) };
}

/** The answer to a call that failed after it had begun, made by Connect's own means. */
export async function replyOfError(
  { wire, gzip: isGzip }: Ordinary,
  call: UnaryCall,
  reason: unknown,
  extra: HeaderFields,
): Promise<Reply> {
  const error =
    reason instanceof ConnectError
      ? reason
      : new ConnectError("internal error", Code.Internal, undefined, undefined, reason);
  const header = realOf(call.responseHeader);
  const trailer = realOf(call.responseTrailer);
  if (wire.protocol === "connect") {
    header.set("content-type", "application/json");
    if (!error.isWireError) mergeNonProtocolHeaders(header, error.metadata);
    let body = errorToJsonBytes(error, undefined);
    if (isGzip && body.byteLength >= compressMinBytes) {
      body = await gzip.compress(body);
      header.set("content-encoding", "gzip");
    }
    const muxed = trailerMux(header, trailer);
    muxed.set("content-length", String(body.byteLength));
    return replyOf({ status: codeToHttpStatus(error.code), header: muxed, body: bodyOf(body) }, extra);
  }
  const answered = new Headers(header);
  answered.set("content-type", wire.contentType);
  setTrailerStatus(trailer, error);
  if (wire.protocol === "grpc") return replyOf({ status: 200, header: answered, trailer }, extra);
  const frame = enveloped(trailerFlag, trailerSerialize(trailer));
  return replyOf(await trailersOnly({ status: 200, header: answered, body: bodyOf(frame) }), extra);
}

/** An answer of the stock handler as a whole, with `extra` on top of its headers. */
export async function replyOf(answer: UniversalServerResponse, extra: HeaderFields): Promise<Reply> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  return {
    status: answer.status,
    fields: Object.entries(answerFields(answer, extra, chunks.length === 0)).flat(),
    body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
    trailers: answer.trailer && headerFields(answer.trailer),
  };
}

const bytesOf = (answer: Uint8Array | string): Uint8Array =>
  typeof answer === "string" ? Buffer.from(answer) : answer;

/** Headers in a row, with `extra` in their place or behind them. */
function flat(headers: Headers, extra: HeaderFields): string[] {
  const own = headers instanceof AnsweredHeaders ? headers.fields : undefined;
  if (own === undefined) return Object.entries({ ...headerFields(realOf(headers)), ...extra }).flat();
  for (const name in extra) {
    let at = 0;
    while (at < own.length && own[at] !== name) at += 2;
    own[at] = name;
    own[at + 1] = extra[name]!;
  }
  return own;
}

function trailersOf(trailer: Headers): HeaderFields {
  const own = trailer instanceof AnsweredHeaders ? trailer.fields : undefined;
  return own?.length === 2 ? { [own[0]!]: own[1]! } : headerFields(realOf(trailer));
}
