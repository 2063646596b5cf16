import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";

export type Call = {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
};

export type Answer = {
  status: number;
  headers: Record<string, string>;
  trailers: Record<string, string>;
  body: Buffer;
};

export type Send = (port: number, call: Call) => Promise<Answer>;

/** One request over HTTP/1.1 on a connection of its own; a body goes with its length, or in chunks if the headers say so. */
export const overHttp1: Send = (port, { method = "POST", path, headers = {}, body }) =>
  new Promise((resolve, reject) => {
    // Node frames no body of a DELETE by itself.
    const framing: Record<string, string> =
      body === undefined || "transfer-encoding" in headers
        ? {}
        : { "content-length": String(Buffer.byteLength(body)) };
    const request = http.request({
      port,
      host: "127.0.0.1",
      method,
      path,
      headers: { ...framing, ...headers },
      agent: false,
    });
    request.on("error", reject);
    request.on("response", async (response) => {
      try {
        const answered = await collect(response);
        resolve({
          status: response.statusCode ?? 0,
          headers: fields(response.headers),
          trailers: fields(response.trailers),
          body: answered,
        });
      } catch (error) {
        reject(error);
      }
    });
    request.end(body);
  });

/** One request over HTTP/2 with prior knowledge. */
export const overHttp2: Send = (port, call) => withSession(port, (session) => sendOn(session, call));

export async function withSession<T>(
  port: number,
  use: (session: http2.ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

export function sendOn(
  session: http2.ClientHttp2Session,
  { method = "POST", path, headers = {}, body }: Call,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    session.once("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    const answer: Answer = { status: 0, headers: {}, trailers: {}, body: Buffer.alloc(0) };
    const chunks: Buffer[] = [];
    stream.on("error", reject);
    stream.on("response", (received) => {
      answer.status = Number(received[":status"]);
      answer.headers = fields(received);
    });
    stream.on("trailers", (received) => {
      answer.trailers = fields(received);
    });
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      if (answer.status !== 0) resolve({ ...answer, body: Buffer.concat(chunks) });
    });
    stream.on("close", () => reject(new Error("the stream was closed without an answer")));
    stream.end(body);
  });
}

function fields(headers: http.IncomingHttpHeaders | http2.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Everything the server says until it hangs up; being cut off counts as hanging up. */
export function untilClosed(socket: net.Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

/** An envelope of gRPC and gRPC-Web. */
export function frame(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** The envelopes of a body, in order. */
export function frames(body: Buffer): { flags: number; data: Buffer }[] {
  const found = [];
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    found.push({ flags: body.readUInt8(at), data: body.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return found;
}
