import { once } from "node:events";
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { HttpClient } from "../../bench/http-clients.ts";
import { openLeanHttp2 } from "../../bench/lean-http2.ts";

type Handler = (stream: ServerHttp2Stream, headers: Record<string, string>, body: Buffer) => void;

async function withClient(handler: Handler, work: (client: HttpClient) => Promise<void>): Promise<void> {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk) => chunks.push(chunk as Buffer));
    stream.on("end", () => handler(stream, headers as Record<string, string>, Buffer.concat(chunks)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = openLeanHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 32);
  try {
    await work(client);
  } finally {
    client.close();
    server.close();
  }
}

/** What may stand in a field. */
const value = fc
  .string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 300,
  })
  .filter((text) => text.length > 0);

test("what is sent arrives, and what is answered comes back, fields, body and trailers", async () => {
  const answer: Handler = (
    stream,
    { ":path": path, ":method": method, "x-mine": mine, ":authority": host },
    body,
  ) => {
    stream.respond({ ":status": 201, "x-yours": mine }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-last": mine! }));
    stream.end(JSON.stringify({ path, method, isOurs: host!.startsWith("127.0.0.1:"), length: body.length }));
  };
  await withClient(answer, (client) =>
    fc.assert(
      fc.asyncProperty(value, fc.nat(2_000), fc.nat(31), async (mine, length, caller) => {
        const request = {
          method: "POST",
          path: "/a",
          headers: { "x-mine": mine },
          body: Buffer.alloc(length, 7),
        };
        const { status, headers, trailers, body } = await client.send(request, caller);
        expect(status).toBe(201);
        expect(headers["x-yours"]).toBe(mine);
        expect(trailers).toMatchObject({ "grpc-status": "0", "x-last": mine });
        const heard = { path: "/a", method: "POST", isOurs: true, length };
        expect(JSON.parse(Buffer.from(body).toString())).toEqual(heard);
      }),
      { numRuns: 50 },
    ),
  );
});

test("many answers at once, each of many frames, are kept apart, and more of them than any window holds", async () => {
  const echo: Handler = (stream, { ":path": path }) => {
    stream.respond({ ":status": 200 });
    stream.end(Buffer.alloc(100_000, Number(path!.slice(1))));
  };
  await withClient(echo, async (client) => {
    const asked = Array.from({ length: 64 }, (_, index) => index);
    const answers = await Promise.all(
      asked.map((index) => client.send({ method: "GET", path: `/${index}`, headers: {} }, index)),
    );
    for (const [index, { body, trailers }] of answers.entries()) {
      expect(Buffer.compare(body, Buffer.alloc(100_000, index))).toBe(0);
      expect(trailers).toEqual({});
    }
  });
});

test("a stream that is reset and a server that hangs up fail the requests that wait", async () => {
  const refuse: Handler = (stream, { ":path": path }) =>
    path === "/reset" ? stream.close(constants.NGHTTP2_REFUSED_STREAM) : stream.session!.destroy();
  await withClient(refuse, async (client) => {
    const get = (path: string) => client.send({ method: "GET", path, headers: {} }, 0);
    await expect(get("/reset")).rejects.toThrow("stream reset, code 7");
    await expect(get("/gone")).rejects.toThrow();
    await expect(get("/reset")).rejects.toThrow();
  });
});
