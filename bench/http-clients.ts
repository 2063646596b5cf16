import * as http from "node:http";
import * as http2 from "node:http2";
import type { Answer, Request } from "./wire.ts";

/** Sends requests over connections it keeps open. */
export type HttpClient = {
  /** @param caller which of the callers sends it, from 0 */
  send(request: Request, caller: number): Promise<Answer>;
  close(): void;
};

/** HTTP/1.1: a connection for each caller. */
export function openHttp1(origin: string, callers: number): HttpClient {
  const { hostname, port } = new URL(origin);
  const agent = new http.Agent({ keepAlive: true, maxSockets: callers });
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const request = http.request({ agent, hostname, port, method, path, headers });
        request.on("error", reject);
        request.on("response", (response) => {
          const chunks: Uint8Array[] = [];
          response.on("data", (chunk) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () =>
            resolve({
              status: response.statusCode!,
              headers: response.headers as Record<string, string>,
              trailers: response.trailers as Record<string, string>,
              body: joined(chunks),
            }),
          );
        });
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Requests one HTTP/2 connection carries at once, as a client with some load behind it does. */
const CALLERS_PER_CONNECTION = 16;

/** HTTP/2 with prior knowledge: a connection for every sixteen callers. */
export function openHttp2(origin: string, callers: number): HttpClient {
  const connections = Array.from({ length: Math.ceil(callers / CALLERS_PER_CONNECTION) }, () =>
    http2.connect(origin).on("error", () => {}),
  );
  return {
    send: ({ method, path, headers, body }, caller) =>
      new Promise((resolve, reject) => {
        const connection = connections[caller % connections.length]!;
        const stream = connection.request({ ":method": method, ":path": path, ...headers });
        const answer: Answer = { status: 0, headers: {}, trailers: {}, body: new Uint8Array() };
        const chunks: Uint8Array[] = [];
        stream.on("error", reject);
        stream.on("response", (received) => {
          answer.status = received[":status"]!;
          answer.headers = received as Record<string, string>;
        });
        stream.on("trailers", (received) => {
          answer.trailers = received as Record<string, string>;
        });
        stream.on("data", (chunk) => chunks.push(chunk));
        stream.on("end", () => {
          answer.body = joined(chunks);
          resolve(answer);
        });
        // After an end this is heard too, and then means nothing.
        stream.on("close", () => reject(new Error("the stream was closed without an answer")));
        stream.end(body);
      }),
    close: () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

const joined = (chunks: Uint8Array[]): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
