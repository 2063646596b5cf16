import { openSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { devNull } from "node:os";
import { pino } from "pino";
import type { Caller } from "../src/auth/caller.ts";
import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { createBatchingLogger } from "../src/log.ts";
import { type ConnectHandler, createConnectHandler } from "../src/transport/connect-handler.ts";
import { createCors } from "../src/transport/cors.ts";
import { createHttpHandler } from "../src/transport/http-handler.ts";
import { interceptorChain } from "../src/transport/interceptors/chain.ts";
import { listen } from "../src/transport/listener.ts";
import { answerCalls } from "./child.ts";
import { type Answer, emptyMessage } from "./wire.ts";

export type EdgeServer = {
  /** Gatehouse's transport, whole, before methods that have nothing to do. @returns its origin */
  startTransport(edge: "fast" | "stock"): Promise<string>;
  /** Node's own HTTP module and nothing else: reads the request, answers these bytes. @returns its origin */
  startBare(order: { http2: boolean; answer: Answer }): Promise<string>;
};

const maxBodyBytes = 1024 * 1024;

const caller: Caller = {
  userId: "0197a000-0000-7000-8000-000000000001",
  organizationId: "0197a000-0000-7000-8000-000000000000",
  contextOrganizationId: "0197a000-0000-7000-8000-000000000000",
  memberships: [],
};

async function startTransport(edge: "fast" | "stock"): Promise<string> {
  const logger = createBatchingLogger(
    { level: "info" },
    pino.destination({ dest: openSync(devNull, "a"), sync: true }),
  );
  const answer = emptyMessage("DeleteSession");
  const connect: ConnectHandler = createConnectHandler({
    routes: (router) => router.service(SessionService, { deleteSession: () => answer as never }),
    interceptors: interceptorChain(
      logger,
      { callerOf: () => Promise.resolve(caller), organizationExists: () => Promise.resolve(true) },
      () => Promise.resolve(undefined),
    ),
    maxBodyBytes,
  });
  const handlers = createHttpHandler({
    connect,
    edge,
    cors: createCors({ origins: ["*"] }),
    health: { serving: () => true, ready: () => Promise.resolve() },
    logger,
    maxBodyBytes,
  });
  const { port } = await listen({ host: "127.0.0.1", port: 0, ...handlers, logger });
  return `http://127.0.0.1:${port}`;
}

async function startBare(order: { http2: boolean; answer: Answer }): Promise<string> {
  const { status, headers, trailers, body } = order.answer;
  const server = order.http2
    ? http2.createServer((request, response) => {
        request.resume().once("end", () => {
          response.writeHead(status, headers);
          response.addTrailers(trailers);
          response.end(body);
        });
      })
    : http.createServer((request, response) => {
        request.resume().once("end", () => {
          response.writeHead(status, headers);
          response.end(body);
        });
      });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

answerCalls({ startTransport, startBare } satisfies EdgeServer);
