import * as net from "node:net";
import type { RawAnswer } from "./raw-answer.ts";

/** A connection of HTTP/1.1 that sends bytes as they are, and shows what comes back as it is. */
export class RawHttp1 {
  readonly #port: number;
  #socket: net.Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** @param pieces written one by one, each in a packet of its own */
  async send(pieces: readonly Buffer[]): Promise<RawAnswer> {
    this.#socket ??= await opened(this.#port);
    const socket = this.#socket;
    const answer = answerFrom(socket);
    for (const piece of pieces) {
      if (!socket.write(piece))
        await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
      if (pieces.length > 1) await new Promise(setImmediate);
    }
    const received = await answer;
    if (received.closed) this.close();
    return received;
  }

  /** Sends a request, or its beginning, and hangs up. */
  async cut(bytes: Buffer, when: Promise<unknown>): Promise<void> {
    const socket = await opened(this.#port);
    await new Promise((resolve) => socket.write(bytes, resolve));
    await when;
    socket.destroy();
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

async function opened(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

function answerFrom(socket: net.Socket): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const settle = (closed: boolean) => {
      const answer = parse(received, closed);
      if (answer === undefined) return;
      socket.off("data", onData).off("close", onClose);
      resolve(answer);
    };
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      settle(false);
    };
    const onClose = () => settle(true);
    socket.on("data", onData).on("close", onClose);
  });
}

/** @returns undefined while there is more to come */
function parse(received: Buffer, closed: boolean): RawAnswer | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0)
    return closed ? { head: [], trailers: [], body: received.toString("latin1"), closed } : undefined;
  const head = received.toString("latin1", 0, end).split("\r\n");
  const field = (name: string) =>
    head.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
  const rest = received.subarray(end + 4);
  const body =
    field("transfer-encoding") === "chunked"
      ? unchunked(rest)
      : whole(rest, Number(field("content-length") ?? 0));
  if (body === undefined && !closed) return undefined;
  const goodbye = closed || field("connection") === "close";
  return { head, trailers: [], body: rest.toString("latin1"), ...body, closed: goodbye };
}

const whole = (rest: Buffer, length: number) =>
  rest.length < length ? undefined : { body: rest.toString("latin1") };

function unchunked(rest: Buffer): { body: string; trailers: string[] } | undefined {
  let body = "";
  for (let at = 0; ; ) {
    const line = rest.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(rest.toString("latin1", at, line), 16);
    if (size === 0) {
      const text = rest.toString("latin1", line + 2);
      if (text === "\r\n") return { body, trailers: [] };
      const end = text.indexOf("\r\n\r\n");
      return end < 0 ? undefined : { body, trailers: text.slice(0, end).split("\r\n") };
    }
    if (rest.length < line + 2 + size + 2) return undefined;
    body += rest.toString("latin1", line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
