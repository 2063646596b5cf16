import * as http from "node:http";
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

const joined = (chunks: Uint8Array[]): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
