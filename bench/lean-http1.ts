import { connect, type Socket } from "node:net";
import { createAnswerParser } from "./answer-parser.ts";
import type { HttpClient } from "./http-clients.ts";
import type { Answer, Request } from "./wire.ts";

type Waiting = { resolve(answer: Answer): void; reject(error: Error): void };

/**
 * HTTP/1.1 on plain sockets, one for each caller, one request on its way on each. `node:http` costs a client several
 * times the processor time of this, and what the load takes from the machine the server can't have.
 */
export function openLeanHttp1(origin: string, callers: number): HttpClient {
  const { hostname, port, host } = new URL(origin);
  const connections = Array.from({ length: callers }, () => openConnection(hostname, Number(port)));
  return {
    send: (request, caller) => connections[caller]!.send(encode(request, host)),
    close: () => connections.forEach(({ socket }) => void socket.destroy()),
  };
}

function openConnection(host: string, port: number) {
  const socket: Socket = connect({ host, port, noDelay: true });
  const parser = createAnswerParser();
  let waiting: Waiting | undefined;
  const settle = (how: (waiting: Waiting) => void) => {
    const settled = waiting;
    waiting = undefined;
    if (settled) how(settled);
  };
  socket.on("data", (bytes) => {
    try {
      const answer = parser.push(bytes);
      if (answer) settle(({ resolve }) => resolve(answer));
    } catch (error) {
      settle(({ reject }) => reject(error as Error));
      socket.destroy();
    }
  });
  socket.on("error", (error) => settle(({ reject }) => reject(error)));
  socket.on("close", () => settle(({ reject }) => reject(new Error("the server closed the connection"))));
  return {
    socket,
    send: (bytes: Buffer): Promise<Answer> =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error("the server closed the connection"));
        waiting = { resolve, reject };
        socket.write(bytes);
      }),
  };
}

function encode({ method, path, headers, body }: Request, host: string): Buffer {
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  const start = Buffer.from(`${head}\r\n`, "latin1");
  return body === undefined ? start : Buffer.concat([start, body]);
}
