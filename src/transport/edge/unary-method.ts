import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import type { ConnectRouter, Interceptor, MethodImpl, ServiceImpl, UnaryResponse } from "@connectrpc/connect";
import { createMethodSerializationLookup } from "@connectrpc/connect/protocol";
import { binaryDecoder } from "../codec/binary-decoder.ts";
import { binaryEncoder } from "../codec/binary-encoder.ts";
import { jsonDecoder } from "../codec/json-decoder.ts";
import { jsonEncoder } from "../codec/json-encoder.ts";
import { asUnaryCall, type UnaryCall } from "./unary-call.ts";

/** A unary method, its messages' codecs, and its implementation with the interceptors around it. */
export type UnaryMethod = {
  readonly method: DescMethodUnary;
  /** Reads a request. @throws the stock handler's error */
  readonly parse: Record<Codec, (bytes: Uint8Array) => Message>;
  /** Writes an answer; JSON is text, which Node puts into one piece with the headers. @throws the stock handler's error */
  readonly serialize: { json: (message: Message) => string; binary: (message: Message) => Uint8Array };
  /** @throws whatever the interceptors and the implementation throw */
  readonly invoke: (call: UnaryCall) => Promise<UnaryResponse>;
};

export type Codec = "json" | "binary";

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
  const read = { json: jsonDecoder(method.input), binary: binaryDecoder(method.input) };
  const write = { json: jsonEncoder(method.output), binary: binaryEncoder(method.output) };
  const parse = (codec: Codec) => {
    const stock = getI(codec === "binary");
    return (bytes: Uint8Array) =>
      (bytes.byteLength > maxBodyBytes ? undefined : read[codec](bytes)) ?? stock.parse(bytes);
  };
  return {
    method,
    parse: { json: parse("json"), binary: parse("binary") },
    serialize: {
      json: (message) => write.json(message) ?? Buffer.from(getO(false).serialize(message)).toString(),
      binary: (message) => write.binary(message) ?? getO(true).serialize(message),
    },
    invoke,
  };
}
