import type { DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext, UnaryRequest } from "@connectrpc/connect";
import type { CallSignal } from "./call-signal.ts";
import { AnsweredHeaders } from "./lazy-headers.ts";

export type UnaryCallInit = {
  method: DescMethodUnary;
  message: Message;
  /** Of the request: "connect", "grpc" or "grpc-web". */
  protocolName: string;
  url: string;
  header: Headers;
  /** In the order of their names: name, value, name, value, … */
  responseFields: string[];
  trailerFields: string[];
  lifetime: CallSignal;
  contextValues: ContextValues;
};

/** One call as the interceptors see it and as the implementation sees it, in one object. */
export class UnaryCall implements UnaryRequest, HandlerContext {
  readonly stream = false;
  readonly requestMethod = "POST";
  readonly method: DescMethodUnary;
  readonly service: DescService;
  readonly message: Message;
  readonly protocolName: string;
  readonly url: string;
  readonly header: Headers;
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
  readonly contextValues: ContextValues;
  readonly lifetime: CallSignal;

  constructor(init: UnaryCallInit) {
    this.method = init.method;
    this.service = init.method.parent;
    this.message = init.message;
    this.protocolName = init.protocolName;
    this.url = init.url;
    this.header = init.header;
    this.responseHeader = new AnsweredHeaders(init.responseFields);
    this.responseTrailer = new AnsweredHeaders(init.trailerFields);
    this.contextValues = init.contextValues;
    this.lifetime = init.lifetime;
  }

  /** Aborted by the deadline, by the client's leaving, and when the call is over. */
  get signal(): AbortSignal {
    return this.lifetime.signal;
  }
  /** Tells the milliseconds left until the deadline. */
  get timeoutMs(): () => number | undefined {
    return () => this.lifetime.timeoutMs();
  }
  get requestHeader(): Headers {
    return this.header;
  }
  get values(): ContextValues {
    return this.contextValues;
  }
}

/** An interceptor may hand on a changed copy of its request, which knows no more of its kind. */
export const asUnaryCall = (request: UnaryCall): UnaryCall =>
  request instanceof UnaryCall
    ? request
    : Object.setPrototypeOf({ ...(request as object) }, UnaryCall.prototype);
