import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { infoLine } from "../../log.ts";
import { type Call, callOf, elapsedMs } from "../call.ts";

/**
 * Outermost: one line per call with method, protocol, code and duration, never a credential or a body; the request id on
 * every answer; and on success the order not to store it, since answers carry session tokens.
 */
export const accessLog =
  (logger: Logger): Interceptor =>
  (next) =>
  async (request) => {
    const call = callOf(request.contextValues);
    const method = `${request.service.typeName}/${request.method.name}`;
    try {
      const response = await next(request);
      setHeaders(response.header, call);
      if (!response.stream) {
        writeLine(logger, call, method, undefined);
        return response;
      }
      return { ...response, message: reportedAtEnd(response.message, logger, call, method) };
    } catch (error) {
      throw reported(error, logger, call, method);
    }
  };

function setHeaders(header: Headers, call: Call): void {
  header.set("x-request-id", call.requestId);
  header.set("cache-control", "no-store");
  header.set("pragma", "no-cache");
  header.set("expires", utcNow());
}

let second = 0;
let utcSecond = "";

/** The time as HTTP writes it, made once a second: it costs as much as all other headers together. */
function utcNow(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    utcSecond = new Date(now * 1000).toUTCString();
  }
  return utcSecond;
}

async function* reportedAtEnd<T>(messages: AsyncIterable<T>, logger: Logger, call: Call, method: string) {
  let end: unknown = new ConnectError("the client went away", Code.Canceled);
  try {
    yield* messages;
    end = undefined;
  } catch (error) {
    end = error;
    if (error instanceof ConnectError) error.metadata.set("x-request-id", call.requestId);
    throw error;
  } finally {
    writeLine(logger, call, method, end);
  }
}

function reported(error: unknown, logger: Logger, call: Call, method: string): unknown {
  if (error instanceof ConnectError) error.metadata.set("x-request-id", call.requestId);
  writeLine(logger, call, method, error);
  return error;
}

function writeLine(logger: Logger, call: Call, method: string, error: unknown): void {
  const code =
    error === undefined ? "ok" : codeToString(error instanceof ConnectError ? error.code : Code.Internal);
  // Nothing in here needs escaping: names of the contract, words of our own, numbers.
  const { protocol, requestId } = call;
  const members = `"method":"${method}","protocol":"${protocol}","code":"${code}","durationMs":${elapsedMs(call)},"requestId":"${requestId}"`;
  infoLine(logger, members, "call");
}
