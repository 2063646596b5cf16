import { IncomingMessage, type ServerResponse } from "node:http";
import type { IncomingHttpHeaders as Http2Headers, ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Logger } from "pino";
import { contextOf, newCall, protocolOf } from "./call.ts";
import { logRefused, logUnanswerable } from "./call-log.ts";
import type { ConnectHandler } from "./connect-handler.ts";
import type { Cors } from "./cors.ts";
import { answerDebugEndpoint, type Health } from "./debug-endpoints.ts";
import { Http1Carrier, Http2Carrier } from "./edge/carrier.ts";
import { createUnaryEdge } from "./edge/unary-edge.ts";
import type { Exchange } from "./exchange.ts";
import { decodeText, encodeAnswer, encodedLength, grpcWebProto, isGrpcWebText } from "./grpc-web-text.ts";
import {
  disconnectSignal,
  type HeaderFields,
  headersOf,
  type NodeRequest,
  type NodeResponse,
  readBody,
  sendBytes,
  sendUniversal,
  streamedBody,
  wholeBody,
} from "./node-http.ts";
import { statusBody } from "./rest/error-body.ts";
import { createRouteTable } from "./rest/route-table.ts";
import { answerRest, shortWay, throughConnect } from "./rest/transcode.ts";

export type HttpHandlerOptions = {
  connect: ConnectHandler;
  cors: Cors;
  health: Health;
  logger: Logger;
  /** Limit of a request body, before and after decompression. */
  maxBodyBytes: number;
  /** `fast`: ordinary calls of unary methods go the short way. `stock`: every call goes through Connect's own handlers. */
  edge: "fast" | "stock";
  /** What is no call of the contract, by path: each answers whatever comes there, and tells the HTTP status. */
  endpoints?: { readonly [path: string]: (exchange: Exchange) => Promise<number> };
};

export type HttpHandler = {
  /** Answers any request. */
  handler: (request: NodeRequest, response: NodeResponse) => void;
  /** Answers a request of HTTP/2 as it comes, if it is one for the edge. @returns whether it is */
  streamHandler: ((stream: ServerHttp2Stream, headers: Http2Headers) => boolean) | undefined;
};

/** A message in gRPC and gRPC-Web comes in an envelope of one flag byte and four of length. */
const envelopeBytes = 5;

const text = "text/plain; charset=utf-8";
const json = "application/json";

/**
 * Every request of the port, HTTP/1.1 or HTTP/2: probes, CORS, then the two doors to the one Connect handler,
 * RPC paths and REST routes. Decides by path and content type alone; never throws, never leaves a request unanswered.
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { connect, cors, health, logger, maxBodyBytes, endpoints = {} } = options;
  const routes = createRouteTable(connect.methods.values());
  const services = new Set(connect.services.map((service) => service.typeName));

  const headersFor = (origin: string | undefined): HeaderFields => ({
    "x-robots-tag": "none",
    ...cors.headersFor(origin),
  });
  const edge =
    options.edge === "fast" ? createUnaryEdge({ connect, headersFor, logger, maxBodyBytes }) : undefined;

  const callRest = edge === undefined ? throughConnect(connect) : shortWay(connect);

  const handler = (request: NodeRequest, response: NodeResponse) => {
    if (edge !== undefined && request instanceof IncomingMessage) {
      const found = edge.find(request.method, request.url, request.headers);
      if (found !== undefined)
        return edge.answer(found, new Http1Carrier(request, response as ServerResponse));
    }
    const url = originForm(request.url ?? "");
    const question = url.indexOf("?");
    const path = question < 0 ? url : url.slice(0, question);
    const search = question < 0 ? "" : url.slice(question + 1);
    const headers: HeaderFields = headersFor(request.headers.origin);

    const preflight = cors.preflight(request.method, request.headers);
    if (preflight !== undefined) return sendBytes(response, 204, { ...headers, ...preflight });

    const method = connect.methods.get(path);
    if (method !== undefined) {
      const call = newCall(protocolOf(request.headers["content-type"]));
      const exchange: Exchange = { request, response, call, search, headers, maxBodyBytes };
      return conclude(exchange, path, answerRpc(connect, method, exchange));
    }
    if (answerDebugEndpoint(path, request, response, headers, health, logger)) return;
    const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined;
    if (endpoint !== undefined) {
      const exchange: Exchange = { request, response, call: newCall("rest"), search, headers, maxBodyBytes };
      return conclude(exchange, path, endpoint(exchange));
    }
    const found = routes.find(request.method ?? "", path);
    if (typeof found === "object") {
      const exchange: Exchange = { request, response, call: newCall("rest"), search, headers, maxBodyBytes };
      return conclude(exchange, found.route.method.requestPath, answerRest(found, exchange, callRest));
    }
    if (isRpcPath(path) || protocolOf(request.headers["content-type"]) !== "connect") {
      return sendBytes(response, 404, { ...headers, "content-type": text }, "404 page not found\n");
    }
    const [status, code, message] = refusals[found];
    sendBytes(response, status, { ...headers, "content-type": json }, statusBody(code, message));
  };

  const streamHandler = (stream: ServerHttp2Stream, headers: Http2Headers): boolean => {
    const found = edge?.find(headers[":method"], headers[":path"], headers);
    if (found !== undefined) edge?.answer(found, new Http2Carrier(stream, headers));
    return found !== undefined;
  };
  return { handler, streamHandler: edge && streamHandler };

  function isRpcPath(path: string): boolean {
    return services.has(path.slice(1, path.lastIndexOf("/")));
  }

  /** The line of a call that never began, and the end of one whose answer could not be made. */
  function conclude({ call, response }: Exchange, path: string, answered: Promise<number>): void {
    answered.then(
      (status) => {
        if (!call.began) logRefused(logger, call, path, status);
      },
      (error: unknown) => {
        logUnanswerable(logger, call, path, error);
        if (response.headersSent) response.destroy();
        else sendBytes(response, 500, { "x-robots-tag": "none", "x-request-id": call.requestId });
      },
    );
  }
}

/** The target without the scheme and host a client may write before it, as to a proxy (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  return target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "");
}

const refusals = {
  "not found": [404, Code.NotFound, "Not Found"],
  "method not allowed": [405, Code.Unimplemented, "Method Not Allowed"],
  "bad path": [400, Code.InvalidArgument, "malformed path"],
} as const;

/** @returns the HTTP status */
async function answerRpc(
  connect: ConnectHandler,
  method: UniversalHandler,
  exchange: Exchange,
): Promise<number> {
  const { request, response, call } = exchange;
  const { methodKind } = method.method;
  const isText = isGrpcWebText(request.headers["content-type"]);
  const header = headersOf(request.headers);
  if (isText) header.set("content-type", grpcWebProto);
  const maxBytes = exchange.maxBodyBytes + envelopeBytes;
  const read = isText
    ? async () => decodeText(await readBody(request, encodedLength(maxBytes)))
    : () => readBody(request, maxBytes);
  const isOneMessage = methodKind === "unary" || methodKind === "server_streaming";

  const answer = await connect.handle(method, {
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: `http://localhost${method.requestPath}?${exchange.search}`,
    header,
    body: isOneMessage || isText ? wholeBody(read) : streamedBody(request),
    signal: disconnectSignal(response),
    contextValues: contextOf(call),
  });
  const encoded = isText ? await encodeAnswer(answer, methodKind === "unary") : answer;
  await sendUniversal(encoded, { "x-request-id": call.requestId, ...exchange.headers }, response);
  return answer.status;
}
