import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export type ReceivedRequest = { method: string; path: string; headers: IncomingHttpHeaders; body: string };

export type Reply = { status: number; headers?: Record<string, string>; body?: string };

export type HttpReceiver = {
  url: string;
  requests: ReceivedRequest[];
  close(): Promise<void>;
};

/** What a receiver says: "silence" leaves the request open, "hang up" closes the connection. */
export type Replies = (request: ReceivedRequest, count: number) => Answer | Promise<Answer>;
type Answer = Reply | "silence" | "hang up";

/** A real HTTP server on a free port of this machine; it is gone when the test is over. */
export async function startReceiver(reply?: Replies, port = 0): Promise<HttpReceiver> {
  const receiver = await openReceiver(reply, port);
  onTestFinished(receiver.close);
  return receiver;
}

/** The same until it is closed. */
export async function openReceiver(
  reply: Replies = () => ({ status: 200 }),
  port = 0,
): Promise<HttpReceiver> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (message, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const { method = "", url: path = "", headers } = message;
    const request = { method, path, headers, body: Buffer.concat(chunks).toString() };
    requests.push(request);
    const answer = await reply(request, requests.length);
    if (answer === "hang up") message.socket.destroy();
    else if (answer !== "silence") response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

/** What a receiver does with `ZITADEL-Signature: t=…,v1=…`: computes the MAC anew, from the bytes that came. */
export function isSigned({ headers, body }: ReceivedRequest, signingKey: string): boolean {
  const match = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["zitadel-signature"]));
  if (match === null) return false;
  const expected = createHmac("sha256", signingKey).update(`${match[1]}.${body}`).digest();
  return timingSafeEqual(expected, Buffer.from(match[2]!, "hex"));
}
