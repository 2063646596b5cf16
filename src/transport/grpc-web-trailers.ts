import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { bodyOf } from "./node-http.ts";

const trailerFlag = 0x80;
const envelopeBytes = 5;

/**
 * A gRPC-Web failure before any message travels "trailers only": status, text and metadata as plain response
 * headers over an empty body. Connect puts them into a trailer frame; here that frame is taken apart again.
 * Anything else passes unchanged.
 */
export async function trailersOnly(answer: UniversalServerResponse): Promise<UniversalServerResponse> {
  if (answer.body === undefined || answer.body === null) return answer;
  const chunks = answer.body[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return { ...answer, body: bodyOf(new Uint8Array(0)) };

  const status = (first.value[0] ?? 0) === trailerFlag ? parseTrailers(first.value) : undefined;
  if (status === undefined || status.get("grpc-status") === "0") {
    return { ...answer, body: resumed(first.value, chunks) };
  }
  await chunks.return?.();
  const header = new Headers(answer.header);
  header.delete("grpc-encoding");
  status.forEach((value, name) => {
    header.set(name, value);
  });
  return { ...answer, header, body: bodyOf(new Uint8Array(0)) };
}

function parseTrailers(frame: Uint8Array): Headers {
  const headers = new Headers();
  for (const line of Buffer.from(frame.subarray(envelopeBytes)).toString("latin1").split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

const resumed = (first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]() {
    let pending: Uint8Array | undefined = first;
    return {
      next() {
        if (pending === undefined) return rest.next();
        const value = pending;
        pending = undefined;
        return Promise.resolve({ done: false, value });
      },
      return: () => rest.return?.() ?? Promise.resolve({ done: true, value: undefined }),
      throw: (error) => rest.throw?.(error) ?? Promise.reject(error),
    };
  },
});
