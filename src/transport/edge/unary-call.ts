import type { DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  type HandlerContext,
  type UnaryRequest,
} from "@connectrpc/connect";
import { AnsweredHeaders } from "./lazy-headers.ts";

export type UnaryCallInit = {
  method: DescMethodUnary;
  message: Message;
  /** Of the request: "connect", "grpc" or "grpc-web". */
  protocolName: string;
  url: string;
  requestHeader: Headers;
  /** In the order of their names: name, value, name, value, … */
  responseFields: string[];
  trailerFields: string[];
  /** What is left of the caller's time, in milliseconds. */
  timeoutMs: number | undefined;
  contextValues: ContextValues;
};

/**
 * One call as the interceptors see it and as the implementation sees it, in one object. Everything is a property of its
 * own, so that an interceptor may hand on a changed copy.
 */
export class UnaryCall implements UnaryRequest, HandlerContext {
  readonly stream = false;
  readonly requestMethod = "POST";
  readonly method: DescMethodUnary;
  readonly service: DescService;
  readonly message: Message;
  readonly protocolName: string;
  readonly url: string;
  readonly header: Headers;
  readonly requestHeader: Headers;
  readonly responseHeader: AnsweredHeaders;
  readonly responseTrailer: AnsweredHeaders;
  readonly contextValues: ContextValues;
  readonly values: ContextValues;
  /** Aborted by the deadline, by the client's leaving, and when the call is over. */
  readonly signal: AbortSignal;
  /** Milliseconds left until the deadline. */
  readonly timeoutMs: () => number | undefined;
  readonly abort: (reason?: unknown) => void;

  constructor(init: UnaryCallInit) {
    this.method = init.method;
    this.service = init.method.parent;
    this.message = init.message;
    this.protocolName = init.protocolName;
    this.url = init.url;
    this.header = init.requestHeader;
    this.requestHeader = init.requestHeader;
    this.responseHeader = new AnsweredHeaders(init.responseFields);
    this.responseTrailer = new AnsweredHeaders(init.trailerFields);
    this.contextValues = init.contextValues;
    this.values = init.contextValues;
    const controller = new AbortController();
    this.signal = controller.signal;
    if (init.timeoutMs === undefined) {
      this.timeoutMs = noDeadline;
      this.abort = (reason = callIsOver) => controller.abort(reason);
    } else {
      const endsAt = performance.now() + init.timeoutMs;
      this.timeoutMs = () => endsAt - performance.now();
      const onDeadline = () =>
        controller.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
      const timer = init.timeoutMs <= 0 ? onDeadline() : setTimeout(onDeadline, init.timeoutMs);
      this.abort = (reason = callIsOver) => {
        clearTimeout(timer ?? undefined);
        controller.abort(reason);
      };
    }
  }
}

const noDeadline = (): undefined => undefined;

/** One for all: an error of its own, with its stack, would cost a call more than all the rest of it. */
const callIsOver = new DOMException("This operation was aborted", "AbortError");

/** The context for the implementation if an interceptor handed on a copy of its request. */
export const contextOfCopy = (copy: UnaryCall): HandlerContext => ({
  ...copy,
  requestHeader: copy.header,
  values: copy.contextValues,
});
