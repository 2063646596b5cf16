import type { IncomingHttpHeaders } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { type Call, contextOf, elapsedMs, newCall } from "../call.ts";
import { logRefused, logUnanswerable } from "../call-log.ts";
import type { ConnectHandler } from "../connect-handler.ts";
import { type HeaderFields, headersOf, wholeBody } from "../node-http.ts";
import { abortWhenGone, CallSignal } from "./call-signal.ts";
import type { Carrier, Reply } from "./carrier.ts";
import { envelopeBytes } from "./envelope.ts";
import { ReceivedHeaders } from "./lazy-headers.ts";
import { messageBytes, type Ordinary, readOrdinary } from "./protocols.ts";
import { replyOf, replyOfError, replyOfSuccess } from "./replies.ts";
import { UnaryCall } from "./unary-call.ts";
import type { UnaryMethod } from "./unary-method.ts";

/** An ordinary call of a unary method that may go the short way. */
export type UnaryEdgeCall = {
  readonly path: string;
  readonly unary: UnaryMethod;
  readonly ordinary: Ordinary;
  readonly call: Call;
};

export type UnaryEdge = {
  /** @returns undefined for what goes the long way */
  find(
    method: string | undefined,
    target: string | undefined,
    headers: IncomingHttpHeaders,
  ): UnaryEdgeCall | undefined;
  /** Reads the request, calls, and answers; never throws. */
  answer(found: UnaryEdgeCall, carrier: Carrier): void;
};

export type UnaryEdgeOptions = {
  connect: ConnectHandler;
  /** Headers of every answer. */
  headersFor: (origin: string | undefined) => HeaderFields;
  logger: Logger;
  /** Limit of one message. */
  maxBodyBytes: number;
};

/**
 * The short way for ordinary calls of unary methods. It knows only how a call goes well, and how one fails that has
 * begun: whatever is odd about a request, from its headers to a message that cannot be read, the stock handler answers.
 */
export function createUnaryEdge({ connect, headersFor, logger, maxBodyBytes }: UnaryEdgeOptions): UnaryEdge {
  /** The long way, with what was read of the body. */
  const stock = async (
    { path, call }: UnaryEdgeCall,
    carrier: Carrier,
    read: () => Promise<Uint8Array>,
    extra: HeaderFields,
  ): Promise<Reply> => {
    const controller = new AbortController();
    abortWhenGone(carrier, (reason) => controller.abort(reason));
    const answer = await connect.handle(connect.methods.get(path)!, {
      httpVersion: carrier.httpVersion,
      method: "POST",
      url: urlOf(path),
      header: headersOf(carrier.headers),
      body: wholeBody(read),
      signal: controller.signal,
      contextValues: contextOf(call),
    });
    return replyOf(answer, extra);
  };

  const shortWay = async (
    { path, unary, ordinary, call }: UnaryEdgeCall,
    carrier: Carrier,
    message: Message,
    extra: HeaderFields,
  ): Promise<Reply> => {
    const { wire, gzip, timeoutMs } = ordinary;
    const isGrpc = wire.protocol !== "connect";
    const responseFields = ["content-type", wire.longContentType];
    if (isGrpc && gzip) responseFields.push("grpc-encoding", "gzip");
    const lifetime = new CallSignal(
      carrier,
      timeoutMs === undefined ? undefined : timeoutMs - elapsedMs(call),
    );
    const unaryCall = new UnaryCall({
      method: unary.method,
      message,
      protocolName: wire.protocol,
      url: urlOf(path),
      header: new ReceivedHeaders(carrier.headers),
      responseFields,
      trailerFields: isGrpc ? ["grpc-status", "0"] : [],
      lifetime,
      contextValues: contextOf(call),
    });
    try {
      const response = await unary.invoke(unaryCall);
      const answer = unary.serialize[wire.codec](response.message);
      lifetime.end();
      const reply = replyOfSuccess(ordinary, response, answer, extra);
      // A turn of the queue less for all that are not compressed.
      return reply instanceof Promise ? await reply : reply;
    } catch (reason) {
      lifetime.end(reason);
      return replyOfError(ordinary, unaryCall, reason, extra);
    }
  };

  return {
    find(method, target, headers) {
      const unary = method === "POST" && target !== undefined ? connect.unary.get(target) : undefined;
      if (unary === undefined) return undefined;
      const ordinary = readOrdinary(headers, maxBodyBytes);
      return ordinary && { path: target!, unary, ordinary, call: newCall(ordinary.wire.protocol) };
    },
    async answer(found, carrier) {
      const { call, path } = found;
      const extra = { "x-request-id": call.requestId, ...headersFor(carrier.headers.origin) };
      try {
        const reading = carrier.read(maxBodyBytes + envelopeBytes);
        let message: Message | undefined;
        try {
          message = readMessage(found, await reading);
        } catch {
          // The stock handler finds out what is wrong with it, and says so.
        }
        const reply =
          message === undefined
            ? await stock(found, carrier, () => reading, extra)
            : await shortWay(found, carrier, message, extra);
        carrier.send(reply);
        if (!call.began) logRefused(logger, call, path, reply.status);
      } catch (error) {
        logUnanswerable(logger, call, path, error);
        carrier.fail(["x-robots-tag", "none", "x-request-id", call.requestId]);
      }
    },
  };
}

/** @returns undefined if there is no such message in the body. @throws whatever makes it unreadable */
function readMessage({ unary, ordinary: { wire } }: UnaryEdgeCall, body: Uint8Array): Message | undefined {
  const bytes = messageBytes(body, wire);
  return bytes && unary.parse[wire.codec](bytes);
}

const urlOf = (path: string): string => `http://localhost${path}?`;
