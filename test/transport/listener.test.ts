import { readFileSync } from "node:fs";
import * as http2 from "node:http2";
import * as https from "node:https";
import type * as net from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { describe, expect, test, vi } from "vitest";
import type { ListenOptions } from "../../src/transport/listener.ts";
import { connected, overHttp1, overHttp2, sendOn, untilClosed, withSession } from "./clients.ts";
import { deferred, startServer, type TestServer } from "./server.ts";

const session = {
  getSession: ({ sessionId }: { sessionId: string }) => ({ session: { id: sessionId } }),
};
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const request = "GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/** The next piece the server says. */
const nextData = (socket: net.Socket): Promise<Buffer> =>
  new Promise((resolve) => {
    socket.once("data", resolve);
  });

describe("one port", () => {
  test("speaks HTTP/1.1 and HTTP/2", async () => {
    const { port } = await startServer({ session });
    const call = { method: "GET", path: "/v2/sessions/7" };
    expect((await overHttp1(port, call)).status).toBe(200);
    expect((await overHttp2(port, call)).status).toBe(200);
  });

  test("knows HTTP/2 by its preface, in however many pieces it comes", async () => {
    const { port } = await startServer({ session });
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for (const cut of [1, 3, 4, 10, 23]) {
      const socket = await connected(port);
      socket.setNoDelay(true);
      socket.write(preface.slice(0, cut));
      // The next write must not travel with the first.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      const answered = nextData(socket);
      socket.write(Buffer.concat([Buffer.from(preface.slice(cut)), settings]));
      expect((await answered)[3]).toBe(4); // a SETTINGS frame
      socket.destroy();
    }
  });

  test("knows HTTP/1.1 although it may begin like the preface", async () => {
    const { port } = await startServer({ session });
    for (const cut of [1, 5, 30]) {
      const socket = await connected(port);
      socket.setNoDelay(true);
      socket.write(request.slice(0, cut));
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      socket.write(request.slice(cut));
      expect((await untilClosed(socket)).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    }
    const socket = await connected(port);
    socket.write("PUT /v2/sessions/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    expect((await untilClosed(socket)).toString()).toMatch(/^HTTP\/1\.1 405 /);
  });

  test("answers several requests on one connection, also pipelined ones", async () => {
    const { port } = await startServer({ session });
    const socket = await connected(port);
    socket.write("GET /v2/sessions/1 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2) + request);
    const said = (await untilClosed(socket)).toString();
    expect(said.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    await withSession(port, async (h2) => {
      const answers = await Promise.all(
        ["a", "b", "c"].map((id) => sendOn(h2, { method: "GET", path: `/v2/sessions/${id}` })),
      );
      expect(answers.map((answer) => JSON.parse(answer.body.toString()).session.id)).toEqual(["a", "b", "c"]);
    });
  });
});

describe("what a peer may send without harm", () => {
  let server: TestServer;

  const expectAlive = async () => {
    expect((await overHttp1(server.port, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
    expect((await overHttp2(server.port, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
  };

  test.each<[string, string | Buffer, RegExp]>([
    ["garbage", Buffer.from([0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 13, 10, 13, 10]), /^HTTP\/1\.1 400 /],
    ["a TLS hello", Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]), /^HTTP\/1\.1 400 /],
    ["a request line that is none", "HELLO\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["no host", "GET / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["a broken header", "GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", /^HTTP\/1\.1 400 /],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      /^HTTP\/1\.1 400 /,
    ],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      /^HTTP\/1\.1 400 /,
    ],
    [
      "a broken chunk",
      "POST /v2/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      /^HTTP\/1\.1 400 |^$/,
    ],
    [
      "headers beyond the limit",
      `GET / HTTP/1.1\r\nHost: x\r\na: ${"x".repeat(40_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ["no authority in HTTP/1.0", "GET /v2/sessions/7 HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200 /],
    ["a URL that is none", "GET //[ HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 404 /],
    [
      "an absolute URL",
      "GET http://x/v2/sessions/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 200 [\s\S]*"id":"7"/,
    ],
    ["a tunnel", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", /^$/],
    [
      "an upgrade",
      "GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
      /^HTTP\/1\.1 200 /,
    ],
    ["the preface and then garbage", `${preface}${"garbage ".repeat(50)}`, /./s],
    ["the preface and then HTTP/1.1", preface + request, /./s],
    ["half a preface and something else", `${preface.slice(0, 14)}XX\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ])("%s", async (_, bytes, said) => {
    server = await startServer({ session });
    const socket = await connected(server.port);
    socket.write(bytes);
    expect((await untilClosed(socket)).toString("latin1")).toMatch(said);
    await expectAlive();
  });

  test("headers beyond the limit over HTTP/2", async () => {
    server = await startServer({ session, maxHeaderBytes: 8192 });
    await withSession(server.port, async (h2) => {
      // The limit holds once the client has heard of it; before that it is 64 KiB.
      expect((await sendOn(h2, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
      const large = sendOn(h2, { method: "GET", path: "/v2/sessions/7", headers: { a: "x".repeat(10_000) } });
      await expect(large).rejects.toThrow();
    });
    await expectAlive();
  });

  test("more streams than allowed wait or are refused, and the rest are answered", async () => {
    const release = deferred();
    server = await startServer({
      maxConcurrentStreams: 3,
      session: {
        getSession: async () => {
          await release.promise;
          return {};
        },
      },
    });
    await withSession(server.port, async (h2) => {
      await new Promise((resolve) => h2.once("remoteSettings", resolve));
      expect(h2.remoteSettings.maxConcurrentStreams).toBe(3);
      const calls = [1, 2, 3, 4, 5].map(() => sendOn(h2, { method: "GET", path: "/v2/sessions/7" }));
      release.resolve();
      expect((await Promise.all(calls)).map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    });
  });

  test("two hundred connections that hang up at once", async () => {
    server = await startServer({ session });
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const socket = await connected(server.port);
        socket.on("error", () => {});
        if (i % 2 === 0) socket.write(i % 4 === 0 ? preface : "GET /");
        if (i % 3 === 0) socket.resetAndDestroy();
        else socket.destroy();
      }),
    );
    await expectAlive();
  });
});

describe("slow and silent peers are cut off", () => {
  // Each test ends when the server hangs up, and fails by running out of time. Only the limit in question is short.
  test.each<[string, Partial<ListenOptions>, string, RegExp]>([
    ["who says nothing", { firstBytesTimeoutMs: 80 }, "", /^$/],
    ["who begins the preface", { firstBytesTimeoutMs: 80 }, preface.slice(0, 10), /^$/],
    ["who begins a request line", { headersTimeoutMs: 80 }, "GET /v2", /^HTTP\/1\.1 408 /],
    ["who begins the headers", { headersTimeoutMs: 80 }, "GET / HTTP/1.1\r\nHost: x\r\n", /^HTTP\/1\.1 408 /],
    [
      "who begins the body",
      { requestTimeoutMs: 160 },
      "POST /v2/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
      /^HTTP\/1\.1 408 /,
    ],
    [
      "who has been answered and asks no more",
      { idleTimeoutMs: 80 },
      "GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n",
      /^HTTP\/1\.1 200 /,
    ],
  ])("%s", async (_, times, bytes, said) => {
    const { port } = await startServer({ session, ...times });
    const socket = await connected(port);
    if (bytes !== "") socket.write(bytes);
    expect((await untilClosed(socket)).toString()).toMatch(said);
  });

  test("who drips its headers byte by byte", async () => {
    const { port } = await startServer({ session, headersTimeoutMs: 80 });
    const socket = await connected(port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\na: ");
    const drip = setInterval(() => socket.write("x"), 10);
    expect((await untilClosed(socket)).toString()).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  test("who opens HTTP/2 and asks nothing, though it pings", async () => {
    const { port } = await startServer({ session, idleTimeoutMs: 80 });
    const h2 = http2.connect(`http://127.0.0.1:${port}`);
    h2.on("error", () => {});
    const goaway = new Promise((resolve) => h2.once("goaway", resolve));
    await new Promise((resolve) => h2.once("connect", resolve));
    const ping = setInterval(() => h2.destroyed || h2.ping(() => {}), 10);
    expect(await goaway).toBe(0);
    clearInterval(ping);
    await new Promise((resolve) => (h2.destroyed ? resolve(undefined) : h2.once("close", resolve)));
  });

  test("who never ends its HTTP/2 request; other requests of the connection are not touched", async () => {
    const { port } = await startServer({ session, requestTimeoutMs: 160 });
    await withSession(port, async (h2) => {
      const slow = h2.request({ ":method": "POST", ":path": "/v2/sessions" });
      slow.on("error", () => {});
      slow.write("{");
      await new Promise((resolve) => slow.once("close", resolve));
      expect(slow.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
      expect((await sendOn(h2, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
    });
  });

  test("who does not collect the answer", async () => {
    const { port } = await startServer({
      requestTimeoutMs: 60,
      session: { getSession: () => ({ session: { id: "x".repeat(8 * 1024 * 1024) } }) },
    });
    const socket = await connected(port);
    socket.write("GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    await withSession(port, async (h2) => {
      const stream = h2.request({ ":method": "GET", ":path": "/v2/sessions/7" });
      stream.on("error", () => {});
      await new Promise((resolve) => stream.once("response", resolve));
      // Nobody reads, so there is no event to wait for.
      await vi.waitFor(() => expect(stream.rstCode).toBe(http2.constants.NGHTTP2_CANCEL), 10_000);
      // Another request of the connection is answered as ever.
      expect((await sendOn(h2, { method: "GET", path: "/debug/healthz" })).status).toBe(200);
    });
    // Reading begins only after the server must have hung up.
    expect((await untilClosed(socket)).length).toBeLessThan(8 * 1024 * 1024);
  });

  test("a call that takes long is not cut", async () => {
    const release = deferred();
    const { port } = await startServer({
      requestTimeoutMs: 400,
      idleTimeoutMs: 80,
      session: {
        setSession: async () => {
          await release.promise;
          return {};
        },
      },
    });
    const calls = [overHttp1, overHttp2].flatMap((send) => [
      send(port, { method: "PATCH", path: "/v2/sessions/7" }),
      send(port, { method: "PATCH", path: "/v2/sessions/7", body: "{}" }),
    ]);
    // A silent connection elsewhere is the clock: it lasts twice as long as a request may.
    const clock = await startServer({ firstBytesTimeoutMs: 800 });
    await untilClosed(await connected(clock.port));
    release.resolve();
    expect((await Promise.all(calls)).map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
  });
});

describe("closing", () => {
  const slowServer = async () => {
    const called = deferred();
    const release = deferred();
    let calls = 0;
    const server = await startServer({
      session: {
        getSession: async () => {
          calls += 1;
          if (calls === 2) called.resolve();
          await release.promise;
          return { session: { id: "answered" } };
        },
      },
    });
    return { ...server, called: called.promise, release: release.resolve };
  };

  test("answers every accepted request, tells peers to go, and takes no more", async () => {
    const server = await slowServer();
    const idle = await connected(server.port);
    const undecided = await connected(server.port);
    idle.write("GET /debug/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await nextData(idle);
    const h1 = await connected(server.port);
    h1.write("GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    const h1Said = untilClosed(h1);

    await withSession(server.port, async (h2) => {
      const goaway = new Promise((resolve) => h2.once("goaway", resolve));
      const answer = sendOn(h2, { method: "GET", path: "/v2/sessions/7" });
      await server.called;
      const closed = server.listener.close(10_000);
      await Promise.all([untilClosed(idle), untilClosed(undecided)]);
      expect(await goaway).toBe(0);
      await expect(overHttp1(server.port, { path: "/" })).rejects.toThrow("ECONNREFUSED");

      server.release();
      expect((await answer).body.toString()).toContain("answered");
      const said = (await h1Said).toString();
      expect(said).toContain("answered");
      expect(said.toLowerCase()).toContain("connection: close");
      await closed;
    });
  });

  test("still answers a request that was on its way on a connection it had taken", async () => {
    const server = await startServer({ session });
    const begun = await connected(server.port);
    const used = await connected(server.port);
    used.write("GET /debug/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await nextData(used);
    const closed = server.listener.close(10_000);
    const answers = [begun, used].map((socket) => {
      const said = untilClosed(socket);
      socket.write("GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n");
      return said;
    });
    for (const answer of await Promise.all(answers)) {
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
      expect(answer.toString().toLowerCase()).toContain("connection: close");
    }
    await closed;
  });

  test("cuts what is left when the grace is over", async () => {
    const server = await slowServer();
    const h1 = await connected(server.port);
    h1.write("GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    const said = untilClosed(h1);
    await withSession(server.port, async (h2) => {
      const answer = sendOn(h2, { method: "GET", path: "/v2/sessions/7" });
      const refused = expect(answer).rejects.toThrow();
      await server.called;
      await server.listener.close(30);
      expect((await said).length).toBe(0);
      await refused;
    });
  });

  test("twice is closing once", async () => {
    const { listener } = await startServer();
    expect(listener.close(0)).toBe(listener.close(10_000));
    await listener.close(0);
  });
});

test("a port in use is an error of listening", async () => {
  const { port } = await startServer();
  await expect(startServer({ port })).rejects.toThrow("EADDRINUSE");
});

describe("with TLS", () => {
  // Self-signed for localhost, good for a century, and worth nothing anywhere else.
  const fixture = (name: string) => readFileSync(join(import.meta.dirname, "fixtures", name));
  const files = { cert: fixture("localhost-cert.pem"), key: fixture("localhost-key.pem") };

  test("ALPN chooses HTTP/2", async () => {
    const server = await startServer({ session, tls: files });
    const h2 = http2.connect(server.url, { ca: files.cert });
    expect((await sendOn(h2, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
    expect(h2.alpnProtocol).toBe("h2");
    h2.destroy();
  });

  test.each([
    ["http/1.1", { ALPNProtocols: ["http/1.1"] }],
    ["of nothing", {}],
  ])("ALPN %s is HTTP/1.1", async (_, alpn) => {
    const server = await startServer({ session, tls: files });
    const status = await new Promise((resolve, reject) => {
      https
        .get(`${server.url}/v2/sessions/7`, { ca: files.cert, agent: false, ...alpn }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on("error", reject);
    });
    expect(status).toBe(200);
  });

  test("who does not shake hands is cut off; who speaks cleartext as well", async () => {
    const server = await startServer({ session, tls: files, firstBytesTimeoutMs: 500 });
    await untilClosed(await connected(server.port));
    const clear = await connected(server.port);
    clear.write(request);
    expect((await untilClosed(clear)).toString()).not.toContain("200");
    const silent = tls.connect({ port: server.port, host: "127.0.0.1", ca: files.cert });
    await new Promise((resolve) => silent.once("secureConnect", resolve));
    await untilClosed(silent);
    const h2 = http2.connect(server.url, { ca: files.cert });
    expect((await sendOn(h2, { method: "GET", path: "/v2/sessions/7" })).status).toBe(200);
    h2.destroy();
  });

  test("closing lets go of everybody", async () => {
    const server = await startServer({ session, tls: files });
    const h2 = http2.connect(server.url, { ca: files.cert });
    const goaway = new Promise((resolve) => h2.once("goaway", resolve));
    await sendOn(h2, { method: "GET", path: "/v2/sessions/7" });
    await server.listener.close(10_000);
    expect(await goaway).toBe(0);
  });
});
