import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import {
  CreateSessionRequestSchema,
  GetSessionRequestSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { readBody } from "../../src/transport/node-http.ts";
import {
  type Answer,
  connected,
  frame,
  frames,
  overHttp1,
  overHttp2,
  sendOn,
  untilClosed,
  withSession,
} from "./clients.ts";
import { deferred, maxBodyBytes, startServer, type TestServer } from "./server.ts";

const getPath = "/zitadel.session.v2.SessionService/GetSession";
const createPath = "/zitadel.session.v2.SessionService/CreateSession";
const get = toBinary(GetSessionRequestSchema, create(GetSessionRequestSchema, { sessionId: "7" }));

/** A CreateSession message of exactly this many bytes: seventeen values of 64 KiB do not fit the contract, one unknown field does. */
function paddedJson(bytes: number): Buffer {
  return Buffer.from(`{"x":"${"x".repeat(bytes - 8)}"}`);
}
function paddedProto(bytes: number): Buffer {
  // Field 1000, length-delimited, unknown to the message.
  const head = Buffer.from([0xc2, 0x3e]);
  const length = Buffer.alloc(4);
  let rest = bytes - 6;
  for (let i = 0; i < 4; i++) {
    length[i] = (rest & 0x7f) | (i < 3 ? 0x80 : 0);
    rest >>= 7;
  }
  return Buffer.concat([head, length, Buffer.alloc(bytes - 6, 120)]);
}

/** The code of a failure, whatever protocol it came over; 0 for a success. */
function codeOf(answer: Answer): number {
  const grpc = answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];
  if (grpc !== undefined) return Number(grpc);
  if (answer.status < 300) return 0;
  const { code } = JSON.parse(answer.body.toString()) as { code: number | string };
  return typeof code === "number"
    ? code
    : Number(Object.entries(Code).find(([name]) => name.toLowerCase() === code.replaceAll("_", ""))?.[1]);
}

let server: TestServer;
beforeEach(async () => {
  server = await startServer({
    session: {
      createSession: () => ({ sessionId: "1" }),
      getSession: ({ sessionId }) => ({ session: { id: sessionId } }),
    },
  });
});

const stillAnswers = async (): Promise<void> => {
  const answer = await overHttp1(server.port, { method: "GET", path: "/v2/sessions/1" });
  expect(answer.status).toBe(200);
};

type Shape = { name: string; path: string; type: string; wrap: (bytes: number) => Buffer; encoding: string };
const shapes: Shape[] = [
  {
    name: "REST",
    path: "/v2/sessions",
    type: "application/json",
    wrap: paddedJson,
    encoding: "content-encoding",
  },
  {
    name: "Connect JSON",
    path: createPath,
    type: "application/json",
    wrap: paddedJson,
    encoding: "content-encoding",
  },
  {
    name: "Connect binary",
    path: createPath,
    type: "application/proto",
    wrap: paddedProto,
    encoding: "content-encoding",
  },
  { name: "gRPC", path: createPath, type: "application/grpc", wrap: paddedProto, encoding: "grpc-encoding" },
  {
    name: "gRPC-Web",
    path: createPath,
    type: "application/grpc-web+proto",
    wrap: paddedProto,
    encoding: "grpc-encoding",
  },
];
const isEnveloped = (shape: Shape) => shape.type.includes("grpc");

describe.each(shapes)("a body over $name", (shape) => {
  const send = (body: Buffer, headers: Record<string, string> = {}) =>
    overHttp1(server.port, { path: shape.path, headers: { "content-type": shape.type, ...headers }, body });

  test("of the limit passes, one byte more is RESOURCE_EXHAUSTED", async () => {
    const enveloped = (body: Buffer) => (isEnveloped(shape) ? frame(body) : body);
    expect(codeOf(await send(enveloped(shape.wrap(maxBodyBytes))))).toBe(0);
    const refused = await send(enveloped(shape.wrap(maxBodyBytes + 1)));
    expect([refused.status, codeOf(refused)]).toEqual([
      isEnveloped(shape) ? 200 : 429,
      Code.ResourceExhausted,
    ]);
    await stillAnswers();
  });

  test("in chunks passes up to the limit and no further", async () => {
    const chunked = { "transfer-encoding": "chunked" };
    const enveloped = (body: Buffer) => (isEnveloped(shape) ? frame(body) : body);
    expect(codeOf(await send(enveloped(shape.wrap(1000)), chunked))).toBe(0);
    expect(codeOf(await send(enveloped(shape.wrap(3 * maxBodyBytes)), chunked))).toBe(Code.ResourceExhausted);
    await stillAnswers();
  });

  test("that unpacks to more than the limit is RESOURCE_EXHAUSTED, to less passes", async () => {
    const packed = (bytes: number) => {
      const body = gzipSync(shape.wrap(bytes));
      return send(isEnveloped(shape) ? frame(body, 1) : body, { [shape.encoding]: "gzip" });
    };
    expect(codeOf(await packed(maxBodyBytes))).toBe(0);
    expect(codeOf(await packed(200 * maxBodyBytes))).toBe(Code.ResourceExhausted);
    await stillAnswers();
  });

  test("in an unknown encoding is UNIMPLEMENTED", async () => {
    const body = shape.wrap(100);
    const answer = await send(isEnveloped(shape) ? frame(body, 1) : body, { [shape.encoding]: "br" });
    expect(codeOf(answer)).toBe(Code.Unimplemented);
  });

  test("that is broken is INVALID_ARGUMENT", async () => {
    const garbage = Buffer.concat([Buffer.from([0xff]), randomBytes(100)]);
    expect(codeOf(await send(isEnveloped(shape) ? frame(garbage) : garbage))).toBe(Code.InvalidArgument);
    const broken = gzipSync(shape.wrap(5000)).subarray(0, 20);
    const packed = isEnveloped(shape) ? frame(broken, 1) : broken;
    expect(codeOf(await send(packed, { [shape.encoding]: "gzip" }))).toBe(Code.InvalidArgument);
    const notPacked = isEnveloped(shape) ? frame(garbage, 1) : garbage;
    expect(codeOf(await send(notPacked, { [shape.encoding]: "gzip" }))).toBe(Code.InvalidArgument);
    await stillAnswers();
  });
});

test("a body announced as too large is refused before it is sent", async () => {
  const socket = await connected(server.port);
  const type = "Content-Type: application/json\r\nConnection: close";
  socket.write(`POST /v2/sessions HTTP/1.1\r\nHost: x\r\n${type}\r\nContent-Length: 9999999\r\n\r\n`);
  const answered = await new Promise<Buffer>((resolve) => {
    socket.once("data", resolve);
  });
  expect(answered.toString()).toMatch(/^HTTP\/1\.1 429 /);
  socket.destroy();
});

test("a mebibyte in chunks of one byte costs no more than its bytes", async () => {
  const source = Object.assign(new PassThrough(), { headers: {} });
  const reading = readBody(source as never, maxBodyBytes);
  const started = performance.now();
  for (let i = 0; i < maxBodyBytes; i++) source.emit("data", Buffer.from([i & 0xff]));
  source.emit("end");
  const body = await reading;
  expect([body.byteLength, body[0], body[257], body.at(-1)]).toEqual([maxBodyBytes, 0, 1, 0xff]);
  // Copying the body for every chunk would take minutes.
  expect(performance.now() - started).toBeLessThan(5_000);
});

describe("malformed frames of gRPC and gRPC-Web", () => {
  test.each<[string, Uint8Array, Code]>([
    ["an incomplete message", frame(get).subarray(0, 6), Code.InvalidArgument],
    ["an incomplete head", Buffer.from([0, 0, 0]), Code.InvalidArgument],
    ["no message", Buffer.alloc(0), Code.Unimplemented],
    ["two messages", Buffer.concat([frame(get), frame(get)]), Code.Unimplemented],
    ["a length of four gibibytes", Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), Code.ResourceExhausted],
    ["compression nobody announced", frame(gzipSync(get), 1), Code.InvalidArgument],
  ])("%s", async (_, body, code) => {
    for (const type of ["application/grpc", "application/grpc-web+proto"]) {
      const answer = await overHttp2(server.port, { path: getPath, headers: { "content-type": type }, body });
      expect([answer.status, codeOf(answer)]).toEqual([200, code]);
      const requestId = answer.headers["x-request-id"];
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(server.logs.at(-1)).toMatchObject({ requestId });
    }
    await stillAnswers();
  });
});

describe("large answers", () => {
  const large = "x".repeat(5000);
  beforeEach(async () => {
    server = await startServer({ session: { getSession: () => ({ session: { id: large } }) } });
  });

  test("over Connect are compressed for who accepts it", async () => {
    const headers = { "content-type": "application/json", "accept-encoding": "gzip" };
    const answer = await overHttp1(server.port, { path: getPath, headers, body: '{"sessionId":"7"}' });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(JSON.parse(gunzipSync(answer.body).toString()).session.id).toBe(large);
  });

  test.each(["application/grpc", "application/grpc-web+proto"])(
    "over %s likewise, message by message",
    async (type) => {
      const headers = { "content-type": type, "grpc-accept-encoding": "br,gzip" };
      const answer = await overHttp2(server.port, { path: getPath, headers, body: frame(get) });
      expect(answer.headers["grpc-encoding"]).toBe("gzip");
      const [message] = frames(answer.body);
      expect(message!.flags).toBe(1);
      expect(gunzipSync(message!.data).toString()).toContain(large);
    },
  );
});

describe("deadlines", () => {
  const timeouts: [string, string, string, string, (server: TestServer, value: string) => Promise<Answer>][] =
    [
      [
        "Connect",
        "20",
        "0",
        "5s",
        (s, value) =>
          overHttp1(s.port, {
            path: getPath,
            headers: { "content-type": "application/json", "connect-timeout-ms": value },
            body: '{"sessionId":"7"}',
          }),
      ],
      [
        "gRPC",
        "20m",
        "0m",
        "5 S",
        (s, value) =>
          overHttp2(s.port, {
            path: getPath,
            headers: { "content-type": "application/grpc", "grpc-timeout": value },
            body: frame(get),
          }),
      ],
      [
        "gRPC-Web",
        "20000u",
        "1n",
        "1x",
        (s, value) =>
          overHttp1(s.port, {
            path: getPath,
            headers: { "content-type": "application/grpc-web+proto", "grpc-timeout": value },
            body: frame(get),
          }),
      ],
      [
        "REST",
        "20m",
        "0S",
        "123456789m",
        (s, value) =>
          overHttp1(s.port, { method: "GET", path: "/v2/sessions/7", headers: { "grpc-timeout": value } }),
      ],
    ];

  test.each(timeouts)(
    "over %s the caller hears DEADLINE_EXCEEDED although the implementation goes on",
    async (_, short, none, __, send) => {
      const late = deferred<{ session: { id: string } }>();
      server = await startServer({ session: { getSession: () => late.promise } });
      expect(codeOf(await send(server, short))).toBe(Code.DeadlineExceeded);
      expect(codeOf(await send(server, none))).toBe(Code.DeadlineExceeded);
      late.resolve({ session: { id: "late" } });
      expect(server.logs.map((line) => line.code)).toEqual(["deadline_exceeded", "deadline_exceeded"]);
    },
  );

  test.each(timeouts)("over %s a malformed one is INVALID_ARGUMENT", async (_, __, ___, malformed, send) => {
    expect(codeOf(await send(server, malformed))).toBe(Code.InvalidArgument);
  });

  test("longer than a timer can hold are cut to what it holds, instead of passing at once", async () => {
    const left: (number | undefined)[] = [];
    server = await startServer({
      session: {
        getSession: (_, { timeoutMs }) => {
          left.push(timeoutMs());
          return {};
        },
      },
    });
    const asked = ["9999999999", "99999999H", "99999999S", "99999999M"];
    for (const [index, value] of asked.entries()) {
      expect(codeOf(await timeouts[index]![4](server, value))).toBe(0);
    }
    expect(left).toHaveLength(4);
    for (const ms of left) {
      expect(ms).toBeLessThan(2 ** 31);
      expect(ms).toBeGreaterThan(2 ** 31 - 10_000);
    }
  });

  test("end a stream too, although its source says nothing and hears nothing", async () => {
    server = await startServer({
      routes: (router) =>
        router.service(Health, {
          async *watch() {
            yield { status: 1 };
            await new Promise(() => {});
          },
        }),
    });
    const headers = { "content-type": "application/grpc", "grpc-timeout": "30m" };
    const call = { path: "/grpc.health.v1.Health/Watch", headers, body: frame(new Uint8Array()) };
    const answer = await overHttp2(server.port, call);
    expect([frames(answer.body).length, codeOf(answer)]).toEqual([1, Code.DeadlineExceeded]);
  });

  test("an abortable operation that stops with the call is no internal error", async () => {
    server = await startServer({
      session: {
        getSession: (_, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
          }),
      },
    });
    expect(codeOf(await timeouts[0]![4](server, "20"))).toBe(Code.DeadlineExceeded);
    expect(server.logs.some((line) => line.level === 50)).toBe(false);
  });
});

test("a client that leaves aborts its call, and that is no internal error", async () => {
  const reason = deferred<unknown>();
  const called = deferred();
  server = await startServer({
    session: {
      getSession: (_, { signal }) => {
        called.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reason.resolve(signal.reason);
            reject(new DOMException("stopped", "AbortError"));
          });
        });
      },
    },
  });
  const socket = await connected(server.port);
  socket.write("GET /v2/sessions/7 HTTP/1.1\r\nHost: x\r\n\r\n");
  await called.promise;
  socket.destroy();
  expect(await reason.promise).toMatchObject({ code: Code.Canceled });
  await vi.waitFor(() => expect(server.logs).toHaveLength(1));
  expect(server.logs).toMatchObject([{ level: 30, code: "canceled" }]);
});

test("a stream reset by the client aborts its call, and the connection goes on", async () => {
  const aborted = deferred<unknown>();
  const called = deferred();
  server = await startServer({
    session: {
      getSession: ({ sessionId }, { signal }) => {
        if (sessionId === "fast") return {};
        called.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted.resolve(signal.reason);
            reject(signal.reason);
          });
        });
      },
    },
  });
  await withSession(server.port, async (session) => {
    const stream = session.request({ ":method": "GET", ":path": "/v2/sessions/slow" });
    stream.on("error", () => {});
    await called.promise;
    stream.close(8);
    expect(await aborted.promise).toMatchObject({ code: Code.Canceled });
    expect((await sendOn(session, { method: "GET", path: "/v2/sessions/fast" })).status).toBe(200);
  });
});

test("a client that leaves in the middle of its body does no harm", async () => {
  const socket = await connected(server.port);
  socket.write("POST /v2/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  socket.end();
  await untilClosed(socket);
  await stillAnswers();
});

test("a message of the contract's full depth and beyond is answered", async () => {
  const nested = `${'{"checks":'.repeat(20_000)}{}${"}".repeat(20_000)}`;
  const answer = await overHttp1(server.port, {
    path: createPath,
    headers: { "content-type": "application/json" },
    body: nested,
  });
  expect(answer.status).toBe(200);
  const struct = `{"checks":{"webAuthN":{"credentialAssertionData":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}}}`;
  expect(
    codeOf(
      await overHttp1(server.port, {
        path: createPath,
        headers: { "content-type": "application/json" },
        body: struct,
      }),
    ),
  ).toBe(Code.InvalidArgument);
  expect(toBinary(CreateSessionRequestSchema, create(CreateSessionRequestSchema)).length).toBe(0);
  await stillAnswers();
});
