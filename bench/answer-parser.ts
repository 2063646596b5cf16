import type { Answer } from "./wire.ts";

/** Puts answers together from the bytes of one HTTP/1.1 connection, one request on its way at a time. */
export type AnswerParser = {
  /**
   * @returns the answer, once its last byte is there
   * @throws Error if it is no answer to a request that has one, or goes on after its end
   */
  push(bytes: Buffer): Answer | undefined;
};

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

/** Knows Content-Length and chunks, and nothing else: what servers answer that keep a connection. */
export function createAnswerParser(): AnswerParser {
  let received: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const headEnd = received.indexOf(HEAD_END);
      if (headEnd < 0) return undefined;
      const { status, headers } = readHead(received.toString("latin1", 0, headEnd));
      const bodyStart = headEnd + HEAD_END.length;
      const body = readBody(received, bodyStart, status, headers);
      if (body === undefined) return undefined;
      if (received.length > body.end) throw new Error("the server sent more than one answer");
      received = Buffer.alloc(0);
      return { status, headers, trailers: {}, body: body.bytes };
    },
  };
}

function readHead(text: string): Pick<Answer, "status" | "headers"> {
  const [first, ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first!)?.[1];
  if (status === undefined) throw new Error(`no HTTP/1.1: ${first!.slice(0, 80)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(status), headers };
}

type Body = { bytes: Uint8Array; end: number };

function readBody(
  received: Buffer,
  start: number,
  status: number,
  headers: Record<string, string>,
): Body | undefined {
  if (headers["transfer-encoding"] === "chunked") return readChunks(received, start);
  const length = headers["content-length"];
  if (length === undefined && status !== 204) throw new Error(`HTTP ${status} without a length`);
  const end = start + Number(length ?? 0);
  return received.length < end ? undefined : { bytes: received.subarray(start, end), end };
}

function readChunks(received: Buffer, start: number): Body | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = received.indexOf(LINE_END, at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(received.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + LINE_END.length + size + LINE_END.length;
    if (received.length < end) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), end };
    chunks.push(received.subarray(lineEnd + LINE_END.length, end - LINE_END.length));
    at = end;
  }
}
