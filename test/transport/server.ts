import type { DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import pino, { type Logger } from "pino";
import { SessionService } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type ConnectHandler, createConnectHandler } from "../../src/transport/connect-handler.ts";
import { type CorsOptions, createCors } from "../../src/transport/cors.ts";
import type { Health } from "../../src/transport/debug-endpoints.ts";
import { createHttpHandler, type HttpHandlerOptions } from "../../src/transport/http-handler.ts";
import { accessLog } from "../../src/transport/interceptors/access-log.ts";
import { mapErrors } from "../../src/transport/interceptors/map-errors.ts";
import { validate } from "../../src/transport/interceptors/validate.ts";
import { type Listener, type ListenOptions, listen } from "../../src/transport/listener.ts";
import { afterEveryTest } from "../support/leftovers.ts";
import { edgeOfTests } from "../support/test-config.ts";

export type TestServerOptions = Partial<Omit<ListenOptions, "handler" | "streamHandler" | "logger">> & {
  session?: Partial<ServiceImpl<typeof SessionService>>;
  routes?: (router: ConnectRouter, services: () => readonly DescService[]) => void;
  health?: Partial<Health>;
  cors?: CorsOptions;
  maxBodyBytes?: number;
  edge?: HttpHandlerOptions["edge"];
  /** Those that need nobody to be known, unless the test has others. */
  interceptors?: (logger: Logger) => Interceptor[];
};

export type TestServer = {
  url: string;
  port: number;
  connect: ConnectHandler;
  listener: Listener;
  /** Every line logged so far. */
  logs: Record<string, unknown>[];
};

export const maxBodyBytes = 1024 * 1024;

const running = new Set<Listener>();

afterEveryTest(async () => {
  await Promise.all([...running].map((listener) => listener.close(0)));
  running.clear();
});

/** The whole transport on a free port, in front of an implementation the test brings along. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { session = {}, routes, health, cors = { origins: ["*"] }, ...listening } = options;
  const { interceptors = ownInterceptors } = options;
  const [logger, logs] = memoryLogger();
  const connect: ConnectHandler = createConnectHandler({
    routes(router) {
      router.service(SessionService, session);
      routes?.(router, () => connect.services);
    },
    interceptors: interceptors(logger),
    maxBodyBytes: options.maxBodyBytes ?? maxBodyBytes,
  });
  const handlers = createHttpHandler({
    connect,
    edge: options.edge ?? edgeOfTests,
    cors: createCors(cors),
    health: { serving: () => true, ready: () => Promise.resolve(), ...health },
    logger,
    maxBodyBytes: options.maxBodyBytes ?? maxBodyBytes,
  });
  const listener = await listen({ host: "127.0.0.1", port: 0, ...listening, ...handlers, logger });
  running.add(listener);
  const scheme = options.tls === undefined ? "http" : "https";
  return { url: `${scheme}://127.0.0.1:${listener.port}`, port: listener.port, connect, listener, logs };
}

const ownInterceptors = (logger: Logger): Interceptor[] => [
  accessLog(logger),
  mapErrors({ toConnectError: testErrors, logger }),
  validate(),
];

const testErrors = (error: unknown) =>
  new ConnectError("internal error", Code.Internal, undefined, undefined, error);

function memoryLogger(): [Logger, Record<string, unknown>[]] {
  const logs: Record<string, unknown>[] = [];
  return [pino({ level: "debug" }, { write: (line) => void logs.push(JSON.parse(line)) }), logs];
}

/** A promise and the means to settle it. */
export const deferred = <T = void>() => Promise.withResolvers<T>();
