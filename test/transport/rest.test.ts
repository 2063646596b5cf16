import { gunzipSync, gzipSync } from "node:zlib";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../src/gen/zitadel/message_pb.js";
import type { SetSessionRequest } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Answer, type Call, overHttp1, overHttp2 } from "./clients.ts";
import { EchoService, echo } from "./echo-service.ts";
import { startServer, type TestServer } from "./server.ts";

const rest = (server: TestServer, method: string, path: string, more: Partial<Call> = {}): Promise<Answer> =>
  overHttp1(server.port, { method, path, ...more });

const json = (answer: Answer) => JSON.parse(answer.body.toString());

describe("routes of the session service", () => {
  let server: TestServer;
  let last: { request: unknown; context: HandlerContext };
  beforeEach(async () => {
    const note = <T>(request: T, context: HandlerContext): T => {
      last = { request, context };
      return request;
    };
    server = await startServer({
      session: {
        createSession: (request, context) => {
          note(request, context);
          return { sessionId: "1", sessionToken: "t" };
        },
        getSession: (request, context) => ({ session: { id: note(request, context).sessionId } }),
        setSession: (request, context) => {
          note(request, context);
          return {};
        },
        deleteSession: (request, context) => {
          note(request, context);
          return {};
        },
        listSessions: (request, context) => {
          note(request, context);
          return { details: { totalResult: 0n } };
        },
      },
    });
  });

  test("creating answers 201, everything else 200", async () => {
    expect((await rest(server, "POST", "/v2/sessions", { body: "{}" })).status).toBe(201);
    expect((await rest(server, "GET", "/v2/sessions/1")).status).toBe(200);
    expect((await rest(server, "PATCH", "/v2/sessions/1", { body: "{}" })).status).toBe(200);
    expect((await rest(server, "DELETE", "/v2/sessions/1")).status).toBe(200);
    expect((await rest(server, "POST", "/v2/sessions/search", { body: "{}" })).status).toBe(200);
  });

  test("default values are omitted from the answer", async () => {
    expect(json(await rest(server, "POST", "/v2/sessions/search", { body: "{}" }))).toEqual({ details: {} });
    expect(json(await rest(server, "DELETE", "/v2/sessions/1"))).toEqual({});
  });

  test.each(["sessionToken", "session_token"])("a query parameter is known as %s", async (name) => {
    await rest(server, "GET", `/v2/sessions/7?${name}=abc%20d&unknown=1`);
    expect(last.request).toMatchObject({ sessionId: "7", sessionToken: "abc d" });
  });

  test("the path has the last word, whatever the body calls the field", async () => {
    for (const body of ['{"sessionId":"2"}', '{"session_id":"2"}', '{"sessionId":"2","session_id":"3"}']) {
      expect((await rest(server, "PATCH", "/v2/sessions/1", { body })).status).toBe(200);
      expect((last.request as SetSessionRequest).sessionId).toBe("1");
    }
  });

  test("the path has the last word over the query too", async () => {
    await rest(server, "GET", "/v2/sessions/1?sessionId=2&session_id=3");
    expect(last.request).toMatchObject({ sessionId: "1" });
  });

  test("a path segment is decoded once, and an escaped slash separates nothing", async () => {
    expect(json(await rest(server, "GET", "/v2/sessions/a%2Fb%20%C3%BC%252F"))).toEqual({
      session: { id: "a/b ü%2F" },
    });
  });

  test("an id of 200 characters fits, percent-encoded or not", async () => {
    const id = "ü".repeat(200);
    expect(json(await rest(server, "GET", `/v2/sessions/${encodeURIComponent(id)}`))).toEqual({
      session: { id },
    });
  });

  test("DELETE takes a body, an empty one, or none", async () => {
    await rest(server, "DELETE", "/v2/sessions/1", { body: '{"sessionToken":"abc"}' });
    expect(last.request).toMatchObject({ sessionId: "1", sessionToken: "abc" });
    expect((await rest(server, "DELETE", "/v2/sessions/1", { body: "" })).status).toBe(200);
    for (const send of [overHttp1, overHttp2]) {
      expect((await send(server.port, { method: "DELETE", path: "/v2/sessions/1" })).status).toBe(200);
    }
  });

  test.each([
    "text/plain",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "*/*",
    "",
  ])("a body of type «%s» is read as JSON", async (type) => {
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    await rest(server, "PATCH", "/v2/sessions/1", { headers, body: '{"metadata":{"a":"eA=="},"future":1}' });
    expect((last.request as SetSessionRequest).metadata.a).toEqual(new Uint8Array([120]));
  });

  test("credentials, context and metadata reach the call; the protocol's own headers do not", async () => {
    await rest(server, "GET", "/v2/sessions/1", {
      headers: {
        authorization: "Bearer a",
        "x-zitadel-orgid": "2",
        "user-agent": "test",
        "accept-language": "de",
        "grpc-metadata-foo": "bar",
        "grpc-metadata-authorization": "Bearer b",
        "grpc-metadata-content-encoding": "br",
        "grpc-metadata-connect-timeout-ms": "0",
        cookie: "c",
      },
    });
    const { requestHeader } = last.context;
    expect(Object.fromEntries(requestHeader)).toMatchObject({
      authorization: "Bearer a",
      "x-zitadel-orgid": "2",
      "user-agent": "test",
      "accept-language": "de",
      foo: "bar",
      host: `127.0.0.1:${server.port}`,
    });
    for (const name of ["cookie", "content-encoding", "connect-timeout-ms"])
      expect(requestHeader.has(name)).toBe(false);
  });

  test("over HTTP/2 the authority becomes the host", async () => {
    await overHttp2(server.port, { method: "GET", path: "/v2/sessions/1" });
    expect(last.context.requestHeader.get("host")).toBe(`127.0.0.1:${server.port}`);
  });

  test("a success carries a request id and must not be stored", async () => {
    const { headers } = await rest(server, "GET", "/v2/sessions/1");
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-store",
      pragma: "no-cache",
      "grpcgateway-cache-control": "no-store",
      "grpcgateway-pragma": "no-cache",
      "x-robots-tag": "none",
    });
    expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("an unknown path is 404, a known path under another verb 405", async () => {
    for (const [method, path] of [
      ["GET", "/v2/nothing"],
      ["POST", "/v2/sessions/1/2"],
      ["GET", "/"],
      ["GET", "/v2"],
    ] as const) {
      const answer = await rest(server, method, path);
      expect([answer.status, json(answer)], path).toEqual([404, { code: 5, message: "Not Found" }]);
    }
    for (const [method, path] of [
      ["PUT", "/v2/sessions/1"],
      ["GET", "/v2/sessions"],
      ["OPTIONS", "/v2/sessions"],
      ["DELETE", "/v2/sessions/search/"],
    ] as const) {
      const answer = await rest(server, method, path);
      const expected = path.endsWith("/")
        ? [404, { code: 5, message: "Not Found" }]
        : [405, { code: 12, message: "Method Not Allowed" }];
      expect([answer.status, json(answer)], `${method} ${path}`).toEqual(expected);
    }
    expect((await rest(server, "HEAD", "/v2/sessions/1")).status).toBe(405);
  });

  test("a malformed escape in the path is the caller's fault", async () => {
    const answer = await rest(server, "GET", "/v2/sessions/%zz");
    expect([answer.status, json(answer).code]).toEqual([400, Code.InvalidArgument]);
  });

  test.each([
    ["no JSON", "{"],
    ["not an object", "[]"],
    ["null", "null"],
    ["a wrong type", '{"metadata":1}'],
    ["a value out of range", '{"lifetime":"forever"}'],
    ["invalid UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["a thousand brackets and then some", "[".repeat(200_000)],
  ])("a body that is %s is INVALID_ARGUMENT", async (_, body) => {
    const answer = await rest(server, "PATCH", "/v2/sessions/1", { body });
    expect([answer.status, json(answer).code]).toEqual([400, Code.InvalidArgument]);
    expect((await rest(server, "GET", "/v2/sessions/1")).status).toBe(200);
  });

  test("gzip bodies are unpacked, other encodings refused, broken ones blamed on the caller", async () => {
    const body = gzipSync('{"sessionToken":"abc"}');
    const send = (encoding: string, bytes: Uint8Array) =>
      rest(server, "DELETE", "/v2/sessions/1", { headers: { "content-encoding": encoding }, body: bytes });
    expect((await send("gzip", body)).status).toBe(200);
    expect(last.request).toMatchObject({ sessionToken: "abc" });
    expect((await send("identity", Buffer.from("{}"))).status).toBe(200);
    expect(json(await send("br", body)).code).toBe(Code.Unimplemented);
    expect(json(await send("gzip", Buffer.from("{}"))).code).toBe(Code.InvalidArgument);
    expect(json(await send("gzip", body.subarray(0, 15))).code).toBe(Code.InvalidArgument);
  });

  test("the line in the log names method, protocol and code, and no token", async () => {
    await rest(server, "GET", "/v2/sessions/1?sessionToken=secret", {
      headers: { authorization: "Bearer secret" },
    });
    const lines = server.logs.filter((line) => line.msg === "call");
    expect(lines).toMatchObject([
      { method: "zitadel.session.v2.SessionService/GetSession", protocol: "rest", code: "ok" },
    ]);
    expect(JSON.stringify(server.logs)).not.toContain("secret");
  });

  test("a call refused before it began is in the log as well", async () => {
    await rest(server, "PATCH", "/v2/sessions/1", { body: "{" });
    expect(server.logs).toMatchObject([
      { method: "zitadel.session.v2.SessionService/SetSession", protocol: "rest", status: 400 },
    ]);
  });
});

test("a large answer is compressed for who asks, a small one never", async () => {
  const server = await startServer({
    session: {
      getSession: ({ sessionId }) => ({ session: { id: sessionId === "large" ? "x".repeat(5000) : "x" } }),
    },
  });
  const headers = { "accept-encoding": "br, gzip" };
  const large = await rest(server, "GET", "/v2/sessions/large", { headers });
  expect(large.headers["content-encoding"]).toBe("gzip");
  expect(JSON.parse(gunzipSync(large.body).toString()).session.id).toHaveLength(5000);
  expect(
    (await rest(server, "GET", "/v2/sessions/small", { headers })).headers["content-encoding"],
  ).toBeUndefined();
  expect((await rest(server, "GET", "/v2/sessions/large")).headers["content-encoding"]).toBeUndefined();
});

describe("errors", () => {
  test("carry their details inline, with the id of the request", async () => {
    const server = await startServer({
      session: {
        getSession() {
          throw new ConnectError("no such session (QUERY-SFeaa)", Code.NotFound, undefined, [
            { desc: ErrorDetailSchema, value: { id: "QUERY-SFeaa", message: "no such session" } },
          ]);
        },
      },
    });
    const answer = await rest(server, "GET", "/v2/sessions/1");
    expect(answer.status).toBe(404);
    expect(answer.body.toString()).toBe(
      '{"code":5,"message":"no such session (QUERY-SFeaa)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"QUERY-SFeaa","message":"no such session"}]}',
    );
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.headers["x-request-id"]).toBe(server.logs.at(-1)!.requestId);
    expect(answer.headers["cache-control"]).toBeUndefined();
  });

  test("UNAUTHENTICATED says so in the header too, on one line", async () => {
    const server = await startServer({
      session: {
        getSession() {
          throw new ConnectError("auth header\r\nmissing ü", Code.Unauthenticated);
        },
      },
    });
    const { status, headers } = await rest(server, "GET", "/v2/sessions/1");
    expect([status, headers["www-authenticate"]]).toEqual([401, "auth header missing"]);
  });

  test("what nobody foresaw is INTERNAL without its cause, which is in the log with its stack", async () => {
    const server = await startServer({
      session: {
        getSession() {
          throw new TypeError("secret of the house");
        },
      },
    });
    const answer = await rest(server, "GET", "/v2/sessions/1");
    expect([answer.status, json(answer)]).toEqual([500, { code: 13, message: "internal error" }]);
    const line = server.logs.find((entry) => entry.msg === "internal error");
    expect(line).toMatchObject({ level: 50, requestId: answer.headers["x-request-id"] });
    expect((line!.err as { stack: string }).stack).toContain("secret of the house");
  });
});

describe("routes of every other shape", () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startServer({ routes: (router) => router.service(EchoService, echo) });
  });

  test.each<[string, string, string | undefined, unknown]>([
    ["GET", "/v1/shelves/1/books/2", undefined, { inner: { name: "shelves/1/books/2" } }],
    [
      "GET",
      "/v1/shelves/1/books/2?inner.count=3",
      undefined,
      { inner: { name: "shelves/1/books/2", count: 3 } },
    ],
    ["GET", "/v1/files/a/b%2Fc/d", undefined, { thingId: "a/b%2Fc/d" }],
    ["GET", "/v1/big/9007199254740993/true", undefined, { bigNumber: "9007199254740993", isSet: true }],
    ["POST", "/v1/things/1:lock", '{"kind":"KIND_ROUND"}', { thingId: "1", kind: "KIND_ROUND" }],
    [
      "PUT",
      "/v1/things/1?tags=a&inner.name=b",
      '{"name":"c"}',
      { thingId: "1", tags: ["a"], inner: { name: "c" } },
    ],
    ["GET", "/v1/things/1:other", undefined, { thingId: "1:other" }],
  ])("%s %s", async (method, path, body, expected) => {
    const answer = await rest(server, method, path, { body });
    expect([answer.status, json(answer)]).toEqual([200, expected]);
  });

  test.each<[string, unknown]>([
    ["tags=a&tags=b", { tags: ["a", "b"] }],
    ["numbers=1&numbers=-2", { numbers: [1, -2] }],
    ["bigNumber=-9223372036854775808", { bigNumber: "-9223372036854775808" }],
    ["is_set=true", { isSet: true }],
    ["is_set=1", { isSet: true }],
    ["is_set=F", {}],
    ["kind=KIND_ROUND", { kind: "KIND_ROUND" }],
    ["kind=1", { kind: "KIND_ROUND" }],
    ["inner.name=a&inner.count=2", { inner: { name: "a", count: 2 } }],
    ["raw=eA", { raw: "eA==" }],
    ["made_at=2026-07-01T02:00:00%2B02:00", { madeAt: "2026-07-01T00:00:00Z" }],
    ["lasts=1.5s", { lasts: "1.500s" }],
    ["agreed=true", { agreed: true }],
    ["left=a+b", { left: "a b" }],
    ["ratio=0.5", { ratio: 0.5 }],
    ["nothing=1&inner.nothing=1&tags.x=1&others.name=a", {}],
    ["", {}],
    ["&=&a", {}],
  ])("query %s", async (query, expected) => {
    const answer = await rest(server, "GET", `/v1/things/1?${query}`);
    expect([answer.status, json(answer)]).toEqual([200, { thingId: "1", ...(expected as object) }]);
  });

  test.each([
    "bigNumber=x",
    "bigNumber=9223372036854775808",
    "is_set=maybe",
    "kind=KIND_SQUARE",
    "kind=2",
    "numbers=1.5",
    "raw=!",
    "made_at=yesterday",
    "left=a&right=b",
    "left=a&left=b",
    "ratio=half",
    "inner=a",
  ])("query %s is INVALID_ARGUMENT", async (query) => {
    const answer = await rest(server, "GET", `/v1/things/1?${query}`);
    expect([answer.status, json(answer).code]).toEqual([400, Code.InvalidArgument]);
  });
});
