import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

/** gRPC-Web for clients that cannot read binary bodies: the same frames in base64. */
const contentType = /^application\/grpc-web-text(\+proto)?\s*(;|$)/i;

/** The content type inside, and the one to answer with. */
export const grpcWebProto = "application/grpc-web+proto";
const grpcWebTextProto = "application/grpc-web-text+proto";

export const isGrpcWebText = (given: string | undefined): boolean =>
  given !== undefined && contentType.test(given);

/** How long the base64 form of `bytes` bytes may be; a client may pad after every message. */
export const encodedLength = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 64;

const pieces = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/;

/**
 * Decodes base64, or several padded pieces of it one after the other.
 * @throws ConnectError INVALID_ARGUMENT
 */
export function decodeText(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  if (!pieces.test(text))
    throw new ConnectError("the request body is not valid base64", Code.InvalidArgument);
  const decoded = Buffer.allocUnsafe((text.length / 4) * 3);
  let length = 0;
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf("=", start);
    end = end < 0 ? text.length : end - (end % 4) + 4;
    length += decoded.write(text.slice(start, end), length, "base64");
    start = end;
  }
  return decoded.subarray(0, length);
}

/**
 * Encodes an answer. Each piece is encoded for itself so that a stream can be read as it comes; what is known at once
 * (`unary`) becomes one piece, for clients that decode the whole body in one go.
 */
export async function encodeAnswer(
  answer: UniversalServerResponse,
  unary: boolean,
): Promise<UniversalServerResponse> {
  const header = new Headers(answer.header);
  if (header.get("content-type") === grpcWebProto) header.set("content-type", grpcWebTextProto);
  if (answer.body === undefined) return { ...answer, header };
  return { ...answer, header, body: unary ? encodedWhole(answer.body) : encodedPieces(answer.body) };
}

async function* encodedWhole(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  yield* encodedPieces([Buffer.concat(chunks)]);
}

async function* encodedPieces(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    if (chunk.byteLength > 0) {
      yield Buffer.from(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("base64"));
    }
  }
}
