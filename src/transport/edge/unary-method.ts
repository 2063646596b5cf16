import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import type { ConnectRouter, Interceptor, MethodImpl, ServiceImpl, UnaryResponse } from "@connectrpc/connect";
import { createMethodSerializationLookup, type Serialization } from "@connectrpc/connect/protocol";
import { asUnaryCall, type UnaryCall } from "./unary-call.ts";

/** A unary method, its messages' codecs, and its implementation with the interceptors around it. */
export type UnaryMethod = {
  readonly method: DescMethodUnary;
  /** Codecs of request and answer, with the errors of the stock handler. */
  readonly input: Codecs;
  readonly output: Codecs;
  /** @throws whatever the interceptors and the implementation throw */
  readonly invoke: (call: UnaryCall) => Promise<UnaryResponse>;
};

export type Codecs = { readonly json: Serialization<Message>; readonly binary: Serialization<Message> };

export type UnaryMethodOptions = {
  interceptors: Interceptor[];
  jsonOptions: { ignoreUnknownFields: boolean };
  maxBodyBytes: number;
};

/**
 * Puts itself before a router and keeps, by its path, every unary method with an implementation that is registered
 * there.
 */
export function recordUnaryMethods(
  router: ConnectRouter,
  options: UnaryMethodOptions,
): { router: ConnectRouter; methods: ReadonlyMap<string, UnaryMethod> } {
  const methods = new Map<string, UnaryMethod>();
  const record = (method: DescMethodUnary, implementation: MethodImpl<DescMethodUnary>) =>
    methods.set(
      `/${method.parent.typeName}/${method.name}`,
      createUnaryMethod(method, implementation, options),
    );
  const recording: ConnectRouter = {
    handlers: router.handlers,
    service<T extends DescService>(
      service: T,
      implementation: Partial<ServiceImpl<T>>,
      ...own: [unknown?]
    ): ConnectRouter {
      router.service(service, implementation, ...(own as []));
      for (const method of service.methods) {
        const call = implementation[method.localName as keyof ServiceImpl<T>];
        // What has options of its own, or is not implemented, is left to the stock handler alone.
        if (method.methodKind !== "unary" || typeof call !== "function" || own[0] !== undefined) continue;
        record(method as DescMethodUnary, call.bind(implementation) as MethodImpl<DescMethodUnary>);
      }
      return recording;
    },
    rpc<M extends DescMethod>(method: M, implementation: MethodImpl<M>, ...own: [unknown?]): ConnectRouter {
      router.rpc(method, implementation, ...(own as []));
      if (method.methodKind === "unary" && own[0] === undefined)
        record(method as DescMethodUnary, implementation as MethodImpl<DescMethodUnary>);
      return recording;
    },
  };
  return { router: recording, methods };
}

function createUnaryMethod(
  method: DescMethodUnary,
  implementation: MethodImpl<DescMethodUnary>,
  { interceptors, jsonOptions, maxBodyBytes }: UnaryMethodOptions,
): UnaryMethod {
  const limits = { readMaxBytes: maxBodyBytes, writeMaxBytes: 0xffffffff };
  const { getI, getO } = createMethodSerializationLookup(method, undefined, jsonOptions, limits);
  const call = async (request: UnaryCall): Promise<UnaryResponse> => ({
    stream: false,
    service: method.parent,
    method,
    message: create(method.output, await implementation(request.message, request)),
    header: request.responseHeader,
    trailer: request.responseTrailer,
  });
  const invoke = interceptors.reduceRight<UnaryMethod["invoke"]>((next, interceptor) => {
    const handedOn = (request: UnaryCall) => next(asUnaryCall(request));
    return interceptor(handedOn as never) as unknown as UnaryMethod["invoke"];
  }, call);
  return {
    method,
    input: { json: getI(false), binary: getI(true) },
    output: { json: getO(false), binary: getO(true) },
    invoke,
  };
}
