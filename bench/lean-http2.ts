import { connect } from "node:net";
import { readHeaderBlock } from "./header-block.ts";
import type { HttpClient } from "./http-clients.ts";
import {
  encodeFrame,
  encodeHeaders,
  encodeSettings,
  encodeWindowUpdate,
  FLAG,
  FRAME,
  type Frame,
  FrameReader,
  PREFACE,
} from "./http2-frames.ts";
import type { Answer, Request } from "./wire.ts";

/** Requests one connection carries at once, as a client with some load behind it does. */
const CALLERS_PER_CONNECTION = 16;

/**
 * HTTP/2 with prior knowledge on plain sockets, for small requests: a connection for every sixteen callers. As with
 * `openLeanHttp1`, what `node:http2` would cost the client is left to the server.
 */
export function openLeanHttp2(origin: string, callers: number): HttpClient {
  const connections = Array.from(
    { length: Math.ceil(callers / CALLERS_PER_CONNECTION) },
    () => new Connection(new URL(origin)),
  );
  return {
    send: (request, caller) => connections[caller % connections.length]!.send(request),
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
}

/** What has come of an answer. */
type Pending = {
  head?: Buffer;
  body: Uint8Array[];
  resolve(answer: Promise<Answer>): void;
  reject(error: Error): void;
};

const DEFAULT_WINDOW = 65_535;
const WINDOW = 2 ** 30;
/** RFC 9113 §6.5.2: no dynamic table, so that a block stands for itself; no push; answers of any size. */
const SETTINGS: [id: number, value: number][] = [
  [1, 0],
  [2, 0],
  [4, WINDOW],
];

class Connection {
  readonly #socket;
  readonly #authority: string;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  #lastStream = -1;
  #received = 0;
  #failure: Error | undefined;

  constructor({ hostname, port, host }: URL) {
    this.#authority = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (bytes) => {
      try {
        for (const frame of this.#reader.push(bytes)) this.#take(frame);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the server closed the connection")));
    this.#write(PREFACE, encodeSettings(...SETTINGS), encodeWindowUpdate(WINDOW - DEFAULT_WINDOW));
  }

  send(request: Request): Promise<Answer> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#lastStream += 2;
    const stream = this.#lastStream;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#pending.set(stream, { body: [], resolve, reject });
    this.#write(...this.#encode(request, stream));
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #encode({ method, path, headers, body }: Request, stream: number): Buffer[] {
    const pseudo = { ":method": method, ":scheme": "http", ":authority": this.#authority, ":path": path };
    const block = encodeHeaders({ ...pseudo, ...headers });
    if (body === undefined)
      return [encodeFrame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, block)];
    return [
      encodeFrame(FRAME.HEADERS, FLAG.END_HEADERS, stream, block),
      encodeFrame(FRAME.DATA, FLAG.END_STREAM, stream, body),
    ];
  }

  /** What is written in one turn goes out together. */
  #write(...parts: Buffer[]): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    for (const part of parts) this.#socket.write(part);
  }

  #take({ type, flags, stream, payload }: Frame): void {
    switch (type) {
      case FRAME.HEADERS:
        this.#takeHeaders(flags, stream, payload);
        return;
      case FRAME.DATA: {
        if (flags & FLAG.PADDED) throw new Error("padded frames are not understood");
        const pending = this.#pending.get(stream);
        pending?.body.push(payload);
        this.#received += payload.length;
        if (this.#received > WINDOW / 2) {
          this.#write(encodeWindowUpdate(this.#received));
          this.#received = 0;
        }
        if (flags & FLAG.END_STREAM) this.#end(stream, undefined);
        return;
      }
      case FRAME.RST_STREAM:
        this.#pending.get(stream)?.reject(new Error(`stream reset, code ${payload.readUInt32BE(0)}`));
        this.#pending.delete(stream);
        return;
      case FRAME.SETTINGS:
      case FRAME.PING:
        if ((flags & FLAG.ACK) === 0) {
          const echoed = type === FRAME.PING ? payload : Buffer.alloc(0);
          this.#write(encodeFrame(type, FLAG.ACK, 0, echoed));
        }
        return;
      case FRAME.GOAWAY:
        throw new Error("the server goes away");
    }
  }

  #takeHeaders(flags: number, stream: number, block: Buffer): void {
    const expected = FLAG.END_HEADERS | FLAG.END_STREAM;
    if (flags & ~expected || (flags & FLAG.END_HEADERS) === 0)
      throw new Error("padded, weighted or cut header fields are not understood");
    const pending = this.#pending.get(stream);
    if (pending === undefined) return;
    const isHead = pending.head === undefined;
    if (isHead) pending.head = block;
    if (flags & FLAG.END_STREAM) this.#end(stream, isHead ? undefined : block);
  }

  #end(stream: number, trailers: Buffer | undefined): void {
    const pending = this.#pending.get(stream);
    this.#pending.delete(stream);
    pending?.resolve(answerOf(pending, trailers));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
    this.#socket.destroy();
  }
}

/**
 * Header fields of an answer with trailers and status 200 are left out: nobody reads them, and as each answer names its
 * own request, decoding them would take longer than the server does.
 */
async function answerOf({ head, body }: Pending, trailers: Buffer | undefined): Promise<Answer> {
  const isDecoded = trailers === undefined || !isOk(head!);
  const { ":status": status, ...headers } = isDecoded ? await known(head!, "headers") : { ":status": 200 };
  return {
    status: Number(status),
    headers,
    trailers: trailers === undefined ? {} : await known(trailers, "trailers"),
    body: body.length === 1 ? body[0]! : Buffer.concat(body),
  };
}

/**
 * Whether a block begins with `:status: 200` by its number in everybody's table, behind what the server may have to say
 * about its own (RFC 7541 §6.1 and §6.3).
 */
const isOk = (block: Buffer): boolean => block[block[0] === 0x20 ? 1 : 0] === 0x88;

/** Blocks that were read before: most answers have the same, but for a date that changes every second. */
const read = new Map<string, Promise<Record<string, string>>>();
const MOST_KNOWN = 1_000;

function known(block: Buffer, kind: "headers" | "trailers"): Promise<Record<string, string>> {
  const key = `${kind} ${block.toString("latin1")}`;
  const before = read.get(key);
  if (before) return before;
  if (read.size > MOST_KNOWN) read.clear();
  const reading = readHeaderBlock(Buffer.from(block), kind);
  read.set(key, reading);
  return reading;
}
