import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAnswerParser } from "../../bench/answer-parser.ts";
import { openLeanHttp1 } from "../../bench/lean-http1.ts";

async function withClient<T>(
  handler: RequestListener,
  work: (client: ReturnType<typeof openLeanHttp1>) => Promise<T>,
  callers = 2,
): Promise<T> {
  const server = createHttpServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = openLeanHttp1(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, callers);
  try {
    return await work(client);
  } finally {
    client.close();
    server.close();
  }
}

const echo: RequestListener = async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers } = request;
  const answer = JSON.stringify({
    method,
    url,
    mine: headers["x-mine"],
    body: Buffer.concat(chunks).toString(),
  });
  // Without a length Node sends chunks.
  const length = url === "/chunks" ? {} : { "content-length": Buffer.byteLength(answer) };
  response.writeHead(201, { "X-Yours": "ä: b", ...length });
  for (const part of answer.match(/.{1,7}/gs)!) response.write(part);
  response.end();
};

test("what is sent arrives, and what is answered comes back, with a length and in chunks", async () => {
  await withClient(echo, async (client) => {
    for (const path of ["/length", "/chunks", "/length"]) {
      const body = Buffer.from("Grüße");
      const headers = { "x-mine": "1", "content-length": String(body.length) };
      const { status, body: answer } = await client.send({ method: "PUT", path, headers, body }, 1);
      expect(status).toBe(201);
      const expected = { method: "PUT", url: path, mine: "1", body: "Grüße" };
      expect(JSON.parse(Buffer.from(answer).toString())).toEqual(expected);
    }
    const { body } = await client.send({ method: "GET", path: "/", headers: {} }, 0);
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ method: "GET", body: "" });
  });
});

test("an answer is the same however its bytes are cut", () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...answers), fc.array(fc.nat(100), { maxLength: 8 }), (text, cuts) => {
      const whole = createAnswerParser().push(Buffer.from(text))!;
      const parser = createAnswerParser();
      const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
      const pushed = places
        .slice(1)
        .map((to, index) => parser.push(Buffer.from(text.slice(places[index], to))));
      expect(pushed.slice(0, -1).filter((answer) => answer !== undefined)).toEqual(
        places.at(-2) === text.length ? [whole] : [],
      );
      if (places.at(-2) !== text.length) {
        expect({ ...pushed.at(-1), body: Buffer.from(pushed.at(-1)!.body).toString() }).toEqual({
          ...whole,
          body: Buffer.from(whole.body).toString(),
        });
      }
      expect(Buffer.from(whole.body).toString()).toBe(whole.status === 204 ? "" : "hello");
    }),
  );
});

test("two answers to one request, another protocol and an answer without a length are errors", () => {
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  for (const wrong of [answer + answer, "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello"]) {
    expect(() => createAnswerParser().push(Buffer.from(wrong))).toThrow();
  }
});

test("a server that hangs up fails the request that waits, and every later one", async () => {
  const server = createTcpServer((socket: Socket) => socket.once("data", () => socket.destroy()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = openLeanHttp1(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 1);
  const request = { method: "GET", path: "/", headers: {} };
  await expect(client.send(request, 0)).rejects.toThrow();
  await expect(client.send(request, 0)).rejects.toThrow("closed the connection");
  client.close();
  server.close();
});
