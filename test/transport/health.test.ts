import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { DomainError } from "../../src/errors.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../src/gen/grpc/health/v1/health_pb.js";
import { healthService, Serving } from "../../src/transport/health-service.ts";
import { frame, frames, overHttp1, overHttp2 } from "./clients.ts";
import { startServer } from "./server.ts";

const get = (port: number, path: string, method = "GET") => overHttp1(port, { method, path });

describe("probes", () => {
  test("/debug/healthz is ok as long as the process lives", async () => {
    const { port } = await startServer({
      health: { ready: () => Promise.reject(new Error("no")), serving: () => false },
    });
    const { status, body, headers } = await get(port, "/debug/healthz");
    expect([status, body.toString(), headers["content-type"]]).toEqual([
      200,
      "ok",
      "text/plain; charset=utf-8",
    ]);
  });

  test('/debug/ready is 200 with "ok", or 412 with the check that fails', async () => {
    let failure: Error | undefined;
    const { port, logs } = await startServer({
      health: { ready: () => (failure === undefined ? Promise.resolve() : Promise.reject(failure)) },
    });
    const ready = async () => {
      const { status, body } = await get(port, "/debug/ready");
      return [status, JSON.parse(body.toString())];
    };
    expect(await ready()).toEqual([200, "ok"]);
    failure = new DomainError("storage.unavailable");
    expect(await ready()).toEqual([412, "the database is unavailable"]);
    failure = new Error("connect ECONNREFUSED 10.0.0.7:5432");
    expect(await ready()).toEqual([412, "not ready"]);
    expect(JSON.stringify(logs)).toContain("10.0.0.7");
    failure = undefined;
    expect(await ready()).toEqual([200, "ok"]);
  });

  test("/healthz tells whether calls are wanted", async () => {
    const serving = new Serving();
    const { port } = await startServer({ health: { serving: () => serving.serving } });
    const answered = async () => {
      const { status, body } = await get(port, "/healthz");
      return [status, body.toString()];
    };
    expect(await answered()).toEqual([200, '{"status":"SERVING"}']);
    serving.set(false);
    expect(await answered()).toEqual([503, '{"status":"NOT_SERVING"}']);
  });

  test.each(["/debug/healthz", "/debug/ready", "/healthz"])("%s takes GET and HEAD only", async (path) => {
    const { port } = await startServer();
    const head = await get(port, path, "HEAD");
    expect([head.status, head.body.length]).toEqual([200, 0]);
    const post = await get(port, path, "POST");
    expect([post.status, post.headers.allow]).toEqual([405, "GET, HEAD"]);
  });
});

describe("grpc.health.v1.Health", () => {
  const started = async () => {
    const serving = new Serving();
    const server = await startServer({
      routes: (router, services) => healthService(router, serving, services),
    });
    return { serving, server, client: createClient(Health, createGrpcTransport({ baseUrl: server.url })) };
  };

  test("Check knows the process and every service, itself included", async () => {
    const { serving, client, server } = await started();
    for (const service of ["", "zitadel.session.v2.SessionService", "grpc.health.v1.Health"]) {
      expect((await client.check({ service })).status, service).toBe(Status.SERVING);
    }
    await expect(client.check({ service: "zitadel.session.v2.Session" })).rejects.toMatchObject({
      code: Code.NotFound,
    });
    serving.set(false);
    expect((await client.check({})).status).toBe(Status.NOT_SERVING);
    serving.set(true);
    const web = createClient(Health, createGrpcWebTransport({ baseUrl: server.url, httpVersion: "1.1" }));
    expect((await web.check({})).status).toBe(Status.SERVING);
  });

  test("Watch tells the status, every change of it, and ends with the process", async () => {
    const { serving, client } = await started();
    const heard: Status[] = [];
    for await (const { status } of client.watch({ service: "zitadel.session.v2.SessionService" })) {
      heard.push(status);
      // Each change is made once the one before was heard.
      if (heard.length === 1) serving.set(false);
      if (heard.length === 2) serving.set(true);
      if (heard.length === 3) serving.stop();
    }
    expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
    serving.set(true);
    expect(serving.serving).toBe(false);
  });

  test("Watch of an unknown service stays open and says so", async () => {
    const { serving, client } = await started();
    const heard: Status[] = [];
    for await (const { status } of client.watch({ service: "nobody" })) {
      heard.push(status);
      serving.stop();
    }
    expect(heard).toEqual([Status.SERVICE_UNKNOWN]);
  });

  test("Watch ends at the caller's deadline, and is logged when it ends", async () => {
    const { client, server } = await started();
    const answer = await overHttp2(server.port, {
      path: "/grpc.health.v1.Health/Watch",
      headers: { "content-type": "application/grpc", "grpc-timeout": "40m" },
      body: frame(new Uint8Array()),
    });
    expect([frames(answer.body).length, answer.trailers["grpc-status"]]).toEqual([
      1,
      String(Code.DeadlineExceeded),
    ]);
    const abort = new AbortController();
    const aborted = (async () => {
      for await (const _ of client.watch({}, { signal: abort.signal })) abort.abort();
    })();
    await expect(aborted).rejects.toBeInstanceOf(ConnectError);
    // A call on the same connection is answered after the abort was heard.
    await client.check({});
    expect(
      server.logs.filter((line) => line.method === "grpc.health.v1.Health/Watch").map((line) => line.code),
    ).toEqual(["deadline_exceeded", "canceled"]);
  });
});
