import { constants } from "node:buffer";
import type { DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  type Interceptor,
} from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { callOf, contextOf, newCall, protocolOf } from "./call.ts";
import { compressMinBytes, gzip } from "./compression.ts";
import { recordUnaryMethods, type UnaryMethod } from "./edge/unary-method.ts";
import { trailersOnly } from "./grpc-web-trailers.ts";
import { bodyOf } from "./node-http.ts";
import { clampTimeouts } from "./timeout-headers.ts";
import { withoutValue } from "./unreadable.ts";

export type ConnectHandlerOptions = {
  /** Registers the services. */
  routes: (router: ConnectRouter) => void;
  /** Outermost first. */
  interceptors: Interceptor[];
  /** Limit of one message, before and after decompression. */
  maxBodyBytes: number;
};

export type ConnectHandler = {
  /** Every method by its path, `/zitadel.session.v2.SessionService/GetSession`. */
  readonly methods: ReadonlyMap<string, UniversalHandler>;
  /** The unary methods among them that are implemented, ready to be called without a universal request. */
  readonly unary: ReadonlyMap<string, UnaryMethod>;
  /** Every registered service, once. */
  readonly services: readonly DescService[];
  /**
   * Serves one call, whatever brought it here: the listener, a REST route, a test.
   * Failures of a call are answers; it rejects only if the answer itself cannot be made.
   */
  handle(method: UniversalHandler, request: UniversalServerRequest): Promise<UniversalServerResponse>;
};

/** Content types of an RPC path, as announced to whoever sends another. */
export const acceptPost = [
  "application/json",
  "application/json; charset=utf-8",
  "application/proto",
  "application/grpc",
  "application/grpc+proto",
  "application/grpc+json",
  "application/grpc-web",
  "application/grpc-web+proto",
  "application/grpc-web+json",
  "application/grpc-web-text",
  "application/grpc-web-text+proto",
].join(", ");

/**
 * The one Connect handler: Connect, gRPC and gRPC-Web in JSON and binary. What Connect leaves to its host is
 * settled here: parameters of content types, `Allow` and `Accept-Post`, deadlines beyond a timer's range, and
 * gRPC-Web errors as headers.
 */
export function createConnectHandler(options: ConnectHandlerOptions): ConnectHandler {
  const interceptors = [markBegan, ...options.interceptors];
  const jsonOptions = { ignoreUnknownFields: true };
  const router = createConnectRouter({
    interceptors,
    acceptCompression: [gzip],
    compressMinBytes,
    readMaxBytes: options.maxBodyBytes,
    jsonOptions,
  });
  const { maxBodyBytes } = options;
  const recorded = recordUnaryMethods(router, { interceptors, jsonOptions, maxBodyBytes });
  options.routes(recorded.router);
  const methods = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const services = [...new Set(router.handlers.map((handler) => handler.service))];

  return {
    methods,
    unary: recorded.methods,
    services,
    async handle(method, request) {
      const given = request.header.get("content-type");
      const contentType = given === null ? undefined : essence(given);
      // The stock pattern refuses most parameters.
      if (contentType !== undefined && contentType !== given) request.header.set("content-type", contentType);
      clampTimeouts(request.header);
      request.contextValues ??= contextOf(newCall(protocolOf(contentType)));

      const answer = await method(request);
      if (answer.status === 405) return { ...answer, header: new Headers({ allow: "POST" }) };
      if (answer.status === 415) return { ...answer, header: new Headers({ "accept-post": acceptPost }) };
      const { began } = callOf(request.contextValues);
      if (!contentType?.startsWith("application/grpc")) return began ? answer : blameRequest(answer);
      // Connect answers the long form, application/grpc+proto; a client gets back what it sent.
      answer.header = new Headers(answer.header);
      answer.header.set("content-type", contentType);
      const complete = contentType.startsWith("application/grpc-web") ? await trailersOnly(answer) : answer;
      if (!began) blameStatus(complete.trailer ?? complete.header);
      return complete;
    },
  };
}

const markBegan: Interceptor = (next) => (request) => {
  callOf(request.contextValues).began = true;
  return next(request);
};

// Connect calls an unreadable binary message INTERNAL, as if it were our fault. Whatever fails before the call begins is
// INVALID_ARGUMENT here, as an unreadable JSON message is. And what was unreadable is not repeated.

async function blameRequest(answer: UniversalServerResponse): Promise<UniversalServerResponse> {
  if (answer.status === 200 || !answer.body) return answer;
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  const sent = Buffer.concat(chunks);
  const isGzip = answer.header?.has("content-encoding") ?? false;
  const bytes = isGzip ? await gzip.decompress(sent, constants.MAX_LENGTH) : sent;
  const told = errorFromJsonBytes(bytes, undefined, new ConnectError("", Code.Internal));
  const code = told.code === Code.Internal ? Code.InvalidArgument : told.code;
  const body = errorToJsonBytes(new ConnectError(withoutValue(told.rawMessage), code), undefined);
  const header = new Headers(answer.header);
  header.delete("content-encoding");
  header.set("content-length", String(body.byteLength));
  return { ...answer, status: codeToHttpStatus(code), header, body: bodyOf(body) };
}

function blameStatus(status: Headers | undefined): void {
  if (status?.get("grpc-status") === String(Code.Internal)) {
    status.set("grpc-status", String(Code.InvalidArgument));
  }
  const text = status?.get("grpc-message");
  if (text) status!.set("grpc-message", encodeURIComponent(withoutValue(decodeURIComponent(text))));
}

/** The media type without parameters, lower case; a charset that is not UTF-8 keeps it unacceptable. */
function essence(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  if (semicolon < 0) return contentType.trim().toLowerCase();
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase();
  const type = contentType.slice(0, semicolon).trim().toLowerCase();
  if (type.endsWith("json") && charset !== undefined && !utf8Names.has(charset)) return contentType;
  return type;
}

const utf8Names = new Set(["utf-8", "utf8", "us-ascii"]);
