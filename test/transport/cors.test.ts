import { describe, expect, test } from "vitest";
import { overHttp1, overHttp2 } from "./clients.ts";
import { startServer } from "./server.ts";

const rpcPath = "/zitadel.session.v2.SessionService/GetSession";
const restPath = "/v2/sessions/7";
const origin = "https://app.example";
const preflight = {
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization",
};
const session = { getSession: () => ({}) };

describe("every origin allowed", () => {
  test.each([rpcPath, restPath])("a pre-flight to %s is answered 204 without a token", async (path) => {
    const { port } = await startServer({ session });
    for (const send of [overHttp1, overHttp2]) {
      const { status, headers, body } = await send(port, { method: "OPTIONS", path, headers: preflight });
      expect([status, body.length]).toEqual([204, 0]);
      expect(headers).toMatchObject({
        vary: "origin",
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE",
        "x-robots-tag": "none",
      });
      expect(headers["access-control-allow-headers"]!.split(", ")).toEqual(
        expect.arrayContaining([
          "authorization",
          "content-type",
          "connect-protocol-version",
          "connect-timeout-ms",
          "grpc-timeout",
          "x-grpc-web",
          "x-user-agent",
          "x-zitadel-orgid",
        ]),
      );
    }
  });

  test("answers, errors and refusals carry the origin and what may be read of them", async () => {
    const { port } = await startServer({ session });
    const call = (method: string, path: string, type: string) =>
      overHttp1(port, {
        method,
        path,
        headers: { origin, "content-type": type },
        body: method === "POST" ? "{}" : "",
      });
    const answers = [
      await call("POST", rpcPath, "application/json"),
      await call("GET", restPath, "application/json"),
      await call("POST", rpcPath, "application/grpc-web+proto"),
      await call("POST", rpcPath, "text/plain"),
      await call("GET", rpcPath, "text/plain"),
      await call("GET", "/v2/nothing", "text/plain"),
    ];
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        vary: "origin",
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
      });
      expect(headers["access-control-expose-headers"]!.split(", ")).toEqual(
        expect.arrayContaining(["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"]),
      );
    }
  });

  test("who sends no origin gets no answer about origins, but caches must know", async () => {
    const { port } = await startServer({ session });
    const { headers } = await overHttp1(port, { method: "GET", path: restPath });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(headers.vary).toBe("origin");
  });

  test("OPTIONS without a pre-flight's headers is a method like any other", async () => {
    const { port } = await startServer({ session });
    expect((await overHttp1(port, { method: "OPTIONS", path: restPath })).status).toBe(405);
    expect((await overHttp1(port, { method: "OPTIONS", path: restPath, headers: { origin } })).status).toBe(
      405,
    );
  });
});

test("with a list of origins, the others learn nothing", async () => {
  const { port } = await startServer({ session, cors: { origins: ["https://app.example"] } });
  const of = (other: string) =>
    overHttp1(port, { method: "OPTIONS", path: restPath, headers: { ...preflight, origin: other } });
  expect((await of("https://app.example")).headers["access-control-allow-origin"]).toBe(
    "https://app.example",
  );
  for (const other of [
    "https://app.example.evil",
    "http://app.example",
    "https://app.example:8443",
    "null",
    "*",
  ]) {
    const { status, headers } = await of(other);
    expect([status, headers["access-control-allow-origin"], headers.vary], other).toEqual([
      204,
      undefined,
      "origin",
    ]);
    const answer = await overHttp1(port, { method: "GET", path: restPath, headers: { origin: other } });
    expect([answer.status, answer.headers["access-control-allow-origin"]], other).toEqual([200, undefined]);
  }
});

test("with no origin allowed, nothing is said", async () => {
  const { port } = await startServer({ session, cors: { origins: [] } });
  const { headers } = await overHttp1(port, { method: "GET", path: restPath, headers: { origin } });
  expect([headers["access-control-allow-origin"], headers.vary]).toEqual([undefined, undefined]);
});
