import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import pino from "pino";
import { DomainError } from "../../../src/errors.ts";
import { ErrorDetailSchema } from "../../../src/gen/zitadel/message_pb.js";
import {
  CreateSessionResponseSchema,
  DeleteSessionResponseSchema,
  GetSessionResponseSchema,
  SessionService,
} from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { INSTANCE_RESOURCE } from "../../../src/storage/tables.ts";
import { type ConnectHandler, createConnectHandler } from "../../../src/transport/connect-handler.ts";
import { createCors } from "../../../src/transport/cors.ts";
import { healthService, Serving } from "../../../src/transport/health-service.ts";
import { createHttpHandler } from "../../../src/transport/http-handler.ts";
import { interceptorChain } from "../../../src/transport/interceptors/chain.ts";
import { listen } from "../../../src/transport/listener.ts";
import { EchoService, echo } from "../echo-service.ts";
import type { Script } from "./script.ts";

/** Limit of a message on the stage, small enough to be broken often. */
export const maxBodyBytes = 4_096;

export type StageServer = {
  port: number;
  /** What was logged, without times. */
  logs: string[];
  /** What the implementation was given, by the session id it was asked for. */
  seen: Map<string, unknown[]>;
  close(): Promise<void>;
};

/** One difference to what a stage should answer. */
export type Fault = "header" | "trailer" | "byte";

/**
 * The transport with every interceptor, before methods that do what a script says.
 * @param scripts by the session id a request names
 */
export async function startStage(
  edge: "fast" | "stock",
  scripts: ReadonlyMap<string, Script>,
  fault?: Fault,
): Promise<StageServer> {
  const logs: string[] = [];
  const seen = new Map<string, unknown[]>();
  const logger = pino({ level: "info" }, { write: (line) => logs.push(untimed(line)) });
  const perform = async <D extends DescMessage>(
    desc: D,
    answer: (padding: string) => MessageInitShape<D>,
    id: string,
    context: HandlerContext,
  ): Promise<MessageInitShape<D>> => {
    seen.set(id, [...(seen.get(id) ?? []), sightOf(context)]);
    const script = scripts.get(id);
    await play(script, context);
    if (fault === "header") context.responseHeader.set("x-fault", "1");
    if (fault === "trailer") context.responseTrailer.set("x-fault", "1");
    const message = answer((script?.padding ?? "") + (fault === "byte" ? "!" : ""));
    return script?.isWhole ? (create(desc, message) as MessageInitShape<D>) : message;
  };
  const sessions: Partial<ServiceImpl<typeof SessionService>> = {
    getSession: ({ sessionId }, context) =>
      perform(
        GetSessionResponseSchema,
        (id) => ({
          session: { id, sequence: 7n, creationDate: { seconds: 1_750_000_000n, nanos: 5_000_000 } },
        }),
        sessionId,
        context,
      ),
    deleteSession: ({ sessionId }, context) =>
      perform(
        DeleteSessionResponseSchema,
        (resourceOwner) => ({ details: { sequence: 4n, resourceOwner } }),
        sessionId,
        context,
      ),
    createSession: ({ metadata }, context) =>
      perform(
        CreateSessionResponseSchema,
        (sessionToken) => ({ sessionId: "1", sessionToken }),
        Buffer.from(metadata.script ?? "").toString(),
        context,
      ),
  };
  const connect: ConnectHandler = createConnectHandler({
    routes: (router) => {
      router.service(SessionService, sessions);
      router.service(UserService, { getUserByID: () => ({}) });
      router.service(EchoService, echo);
      healthService(router, new Serving(), () => connect.services);
    },
    interceptors: [
      ...interceptorChain(
        logger,
        { callerOf, organizationExists: async (id) => id === "known" },
        async () => undefined,
      ),
      copies,
    ],
    maxBodyBytes,
  });
  const handlers = createHttpHandler({
    connect,
    edge,
    cors: createCors({ origins: ["https://app.example"] }),
    health: { serving: () => true, ready: () => Promise.resolve() },
    logger,
    maxBodyBytes,
  });
  const listener = await listen({ host: "127.0.0.1", port: 0, ...handlers, logger });
  return { port: listener.port, logs, seen, close: () => listener.close(0) };
}

const memberships = [{ resourceId: INSTANCE_RESOURCE, roles: ["IAM_OWNER"] }];

async function callerOf(credential: string) {
  if (credential !== "good") throw new DomainError("auth.token_invalid");
  return { userId: "1", organizationId: "2", contextOrganizationId: "2", memberships };
}

/** Hands on copies, as an interceptor may. */
const copies: Interceptor = (next) => async (request) => {
  if (!request.header.has("x-copy")) return next(request);
  const header = new Headers(request.header);
  header.set("x-copied", "yes");
  const response = await next({ ...request, header });
  const answered = new Headers(response.header);
  answered.set("x-copied", String(response.header.get("x-first")));
  return { ...response, header: answered };
};

/** All an implementation can learn of its call, as far as it is the same on two servers. */
function sightOf(context: HandlerContext): unknown {
  const { signal, requestHeader, responseHeader, responseTrailer, method, service, values } = context;
  const timeoutMs = context.timeoutMs();
  return {
    requestHeader: [...requestHeader].filter(([name]) => name !== "host"),
    named: ["Authorization", "x-one", "x-none", "content-type", "constructor"].map((name) => [
      requestHeader.get(name),
      requestHeader.has(name),
    ]),
    areHeaders: [requestHeader, responseHeader, responseTrailer].map((headers) => headers instanceof Headers),
    responseHeader: [...new Headers(responseHeader)],
    responseTrailer: [...new Headers(responseTrailer)],
    method: `${service.typeName}/${method.name}`,
    url: context.url,
    requestMethod: context.requestMethod,
    protocolName: context.protocolName,
    hasDeadline: timeoutMs !== undefined,
    aborted: signal.aborted,
    hasValues: typeof values.get,
  };
}

async function play(script: Script | undefined, context: HandlerContext): Promise<void> {
  if (script === undefined) return;
  for (const { on, how, name, value } of script.fields) {
    const headers = on === "header" ? context.responseHeader : context.responseTrailer;
    if (how === "delete") headers.delete(name);
    else headers[how](name, value);
  }
  if (script.waits === "turn") await new Promise(setImmediate);
  if (script.waits === "end") {
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      else context.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    throw context.signal.reason;
  }
  const { error } = script;
  if (error === undefined) return;
  switch (error.kind) {
    case "connect":
      throw new ConnectError(
        error.message,
        error.code,
        new Headers(error.metadata),
        error.details.map((message) => ({ desc: ErrorDetailSchema, value: { id: "X-1", message } })),
      );
    case "domain":
      throw new DomainError(error.slug);
    case "foreign":
      throw new Error(error.message);
    case "thing":
      throw error.message;
  }
}

function untimed(line: string): string {
  const { time, pid, hostname, durationMs, err, ...rest } = JSON.parse(line);
  return JSON.stringify({ ...rest, measured: typeof durationMs, failed: err?.message });
}

export const codes = Object.values(Code).filter((code): code is Code => typeof code === "number");
