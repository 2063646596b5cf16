import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { callOf } from "../call.ts";

export type MapErrorsOptions = {
  /** What an error becomes on the wire; never called with what already is a ConnectError. */
  toConnectError: (error: unknown, requestId: string) => ConnectError;
  logger: Logger;
};

/**
 * Turns whatever comes out of the house into a ConnectError, logs the cause of everything INTERNAL with its stack (the
 * caller gets the request id only), and keeps the caller's deadline: when it is up the answer is DEADLINE_EXCEEDED,
 * whether or not the implementation listens to its signal.
 */
export const mapErrors =
  ({ toConnectError, logger }: MapErrorsOptions): Interceptor =>
  (next) => {
    const mapped = (error: unknown, signal: AbortSignal, requestId: string, method: string): ConnectError => {
      const result =
        error instanceof ConnectError
          ? error
          : isAbort(error, signal)
            ? abortError(signal)
            : toConnectError(error, requestId);
      if (result.code === Code.Internal) {
        logger.error({ err: result.cause ?? error, method, requestId }, "internal error");
      }
      return result;
    };

    return async (request) => {
      const { requestId } = callOf(request.contextValues);
      const method = `${request.service.typeName}/${request.method.name}`;
      // Without a deadline the signal only says that nobody is listening any more: nothing to race for then.
      const deadline = hasDeadline(request.header) ? request.signal : undefined;
      try {
        const response = await orAborted(next(request), deadline);
        if (!response.stream) return response;
        const map = (error: unknown) => mapped(error, request.signal, requestId, method);
        return { ...response, message: mappedStream(response.message, deadline, map) };
      } catch (error) {
        throw mapped(error, request.signal, requestId, method);
      }
    };
  };

const hasDeadline = (header: Headers): boolean =>
  header.has("grpc-timeout") || header.has("connect-timeout-ms");

/** The answer, or the signal's reason if that comes first; what the abandoned call does later goes unheard. */
function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

async function* mappedStream<T>(
  messages: AsyncIterable<T>,
  deadline: AbortSignal | undefined,
  map: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  const source = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orAborted(source.next(), deadline);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw map(error);
  } finally {
    // Not awaited: a source that ignores the deadline would hold the answer.
    source.return?.().catch(() => {});
  }
}

/** An abortable operation that gave up because the call is over, as opposed to one with an abort of its own. */
const isAbort = (error: unknown, signal: AbortSignal): boolean =>
  signal.aborted && (error === signal.reason || (error instanceof Error && error.name === "AbortError"));

const abortError = (signal: AbortSignal): ConnectError =>
  signal.reason instanceof ConnectError
    ? signal.reason
    : new ConnectError("the call was canceled", Code.Canceled);
