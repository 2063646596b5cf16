import type { Logger } from "pino";
import { type Call, elapsedMs } from "./call.ts";

const lineOf = (call: Call, path: string) => ({
  method: path.slice(1),
  protocol: call.protocol,
  requestId: call.requestId,
});

/** The line of a call that never began: no interceptor has seen it. */
export function logRefused(logger: Logger, call: Call, path: string, status: number): void {
  logger.info({ ...lineOf(call, path), status, durationMs: elapsedMs(call) }, "refused before the call");
}

/** The line of a call whose answer could not be made. */
export function logUnanswerable(logger: Logger, call: Call, path: string, error: unknown): void {
  logger.error({ ...lineOf(call, path), err: error }, "no answer could be made");
}
