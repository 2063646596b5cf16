import {
  type DescField,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { contextOf } from "../call.ts";
import { compressMinBytes, gzip } from "../compression.ts";
import type { ConnectHandler } from "../connect-handler.ts";
import { CallSignal } from "../edge/call-signal.ts";
import { ReceivedHeaders, withTrailer } from "../edge/lazy-headers.ts";
import { UnaryCall } from "../edge/unary-call.ts";
import type { UnaryMethod } from "../edge/unary-method.ts";
import type { Exchange } from "../exchange.ts";
import {
  clientOf,
  disconnectSignal,
  type HeaderFields,
  type NodeRequest,
  readBody,
  sendBytes,
  wholeBody,
} from "../node-http.ts";
import { toConnectTimeout } from "../timeout-headers.ts";
import { withoutValue } from "../unreadable.ts";
import { errorBody } from "./error-body.ts";
import { addQueryParameters, isObject, replaceField } from "./query-parameters.ts";
import type { Route, RouteMatch } from "./route-table.ts";

/** Calls the method with a message. @throws ConnectError as a client over Connect would be told */
type Caller = (match: RouteMatch, message: Message, exchange: Exchange) => Promise<Called>;
/** The message of a successful answer in JSON, and the answer's headers. */
type Called = { json: string; header: Headers | undefined };

/**
 * Answers one REST request: builds the message, calls, and writes the answer as REST JSON or as a `google.rpc.Status`.
 * @returns the HTTP status
 */
export async function answerRest(match: RouteMatch, exchange: Exchange, call: Caller): Promise<number> {
  const { request, response } = exchange;
  const { route } = match;
  let status: number;
  let headers: HeaderFields = {};
  let body: Uint8Array | string;
  try {
    const json = await readJson(route, request, exchange.maxBodyBytes);
    const called = await call(match, fromRest(match, exchange.search, json), exchange);
    status = route.successStatus;
    headers = successHeaders(called.header);
    body = called.json;
  } catch (reason) {
    const error = ConnectError.from(reason, Code.Internal);
    status = codeToHttpStatus(error.code);
    if (error.code === Code.Unauthenticated) headers = { "www-authenticate": headerText(error.rawMessage) };
    body = errorBody(error);
  }
  if (acceptsGzip(request) && Buffer.byteLength(body) >= compressMinBytes) {
    body = await gzip.compress(Buffer.from(body));
    headers["content-encoding"] = "gzip";
  }
  const { requestId } = exchange.call;
  sendBytes(
    response,
    status,
    { "content-type": "application/json", "x-request-id": requestId, ...headers, ...exchange.headers },
    body,
  );
  return status;
}

/** Knocks at the Connect handler like any client in `application/proto`. */
export const throughConnect =
  (connect: ConnectHandler): Caller =>
  async ({ route }, message, { request, response, call }) => {
    const { method } = route.method;
    const bytes = toBinary(method.input, message);
    const answer = await connect.handle(route.method, {
      httpVersion: request.httpVersion,
      method: "POST",
      url: `http://localhost${route.method.requestPath}`,
      header: new Headers(innerFields(request)),
      body: wholeBody(async () => bytes),
      signal: disconnectSignal(response),
      contextValues: contextOf(call),
    });
    const answered = await collect(answer);
    if (answer.status !== 200) throw errorFromJsonBytes(answered, undefined, internalError());
    return {
      json: toJsonString(method.output, fromBinary(method.output, answered)),
      header: answer.header,
    };
  };

/** Calls the implementation and its interceptors as the handler would, without a universal request and a message in binary. */
export const shortWay = (connect: ConnectHandler): Caller => {
  const longWay = throughConnect(connect);
  return async (match, message, exchange) => {
    const { request, response, call } = exchange;
    const path = match.route.method.requestPath;
    const unary = connect.unary.get(path);
    const fields = innerFields(request);
    const timeout = fields[timeoutName];
    if (unary === undefined || (timeout !== undefined && !/^\d{1,10}$/.test(timeout)))
      return longWay(match, message, exchange);
    const unaryCall = new UnaryCall({
      method: unary.method,
      message,
      protocolName: "connect",
      url: `http://localhost${path}`,
      header: new ReceivedHeaders(fields),
      responseFields: ["content-type", "application/proto"],
      trailerFields: [],
      lifetime: new CallSignal(clientOf(response), timeout === undefined ? undefined : Number(timeout)),
      contextValues: contextOf(call),
    });
    try {
      const { header, trailer, message: answer } = await unary.invoke(unaryCall);
      const json = toRestJson(unary, answer);
      unaryCall.lifetime.end();
      return { json, header: withTrailer(header, trailer) };
    } catch (reason) {
      unaryCall.lifetime.end(reason);
      const error = reason instanceof ConnectError ? reason : internalError(reason);
      throw errorFromJsonBytes(errorToJsonBytes(error, undefined), undefined, internalError());
    }
  };
};

const internalError = (cause?: unknown) =>
  new ConnectError("internal error", Code.Internal, undefined, undefined, cause);

/** An answer as it would be after its way through the binary format. */
function toRestJson({ method, serialize }: UnaryMethod, answer: Message): string {
  try {
    const json = serialize.json(answer);
    if (!halfPair.test(json)) return json;
  } catch {
    // The binary codec says what is wrong with it.
  }
  return toJsonString(method.output, fromBinary(method.output, serialize.binary(answer)));
}

/** How JSON writes half a surrogate pair, which the binary format makes U+FFFD. */
const halfPair = /\\ud[89a-f]/;

/** The JSON value of the body; an empty body is an empty message. Every content type is read as JSON. */
async function readJson(route: Route, request: NodeRequest, maxBodyBytes: number): Promise<JsonValue> {
  if (route.body === undefined) return {};
  let bytes = await readBody(request, maxBodyBytes);
  const encoding = request.headers["content-encoding"];
  if (encoding === "gzip") bytes = await gzip.decompress(bytes, maxBodyBytes);
  else if (encoding !== undefined && encoding !== "identity") {
    throw new ConnectError(
      `unknown compression "${encoding}": supported encodings are gzip`,
      Code.Unimplemented,
    );
  }
  try {
    const text = utf8.decode(bytes);
    if (text.trim() === "") return {};
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new ConnectError("the request body is not valid JSON", Code.InvalidArgument);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Path, query and body as one message; the path has the last word. */
function fromRest({ route, values }: RouteMatch, search: string, body: JsonValue) {
  const { input } = route.method.method;
  let json: JsonObject;
  if (route.body === undefined || route.body === "*") {
    if (!isObject(body))
      throw new ConnectError("the request body is not a JSON object", Code.InvalidArgument);
    json = body;
  } else {
    json = { [route.body.jsonName]: body };
  }
  if (route.body !== "*") {
    const taken: (readonly DescField[])[] = [...route.variables];
    if (route.body !== undefined) taken.push([route.body]);
    addQueryParameters(json, input, search, taken);
  }
  route.variables.forEach((path, index) => {
    replaceField(json, path, values[index]!);
  });
  try {
    return fromJson(input, json, { ignoreUnknownFields: true });
  } catch (error) {
    throw new ConnectError(withoutValue((error as Error).message), Code.InvalidArgument);
  }
}

const forwarded = new Set([
  "authorization",
  "accept-language",
  "forwarded",
  "host",
  "origin",
  "user-agent",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-request-id",
]);

const metadataPrefix = "grpc-metadata-";

/** Names that steer the protocol itself; no caller may set them through a `Grpc-Metadata-` header. */
const steering =
  /^(?:accept|connect|connection|content|grpc|host|keep-alive|te|trailer|transfer|upgrade)(?:-|$)/;

const timeoutName = "connect-timeout-ms";

/** The headers of the inner call: credentials, context, deadline, and metadata under its plain name. */
function innerFields(request: NodeRequest): HeaderFields {
  const inner: HeaderFields = { "content-type": "application/proto" };
  const fields = request.headers;
  let hasMetadata = false;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value !== "string") continue;
    if (forwarded.has(name) || name.startsWith("x-zitadel-")) inner[name] = value;
    else if (name === ":authority" && fields.host === undefined) inner.host = value;
    else if (name === "grpc-timeout") inner[timeoutName] = toConnectTimeout(value);
    else if (name.startsWith(metadataPrefix)) hasMetadata = true;
  }
  if (!hasMetadata) return inner;
  for (const name in fields) {
    if (!name.startsWith(metadataPrefix)) continue;
    const plain = name.slice(metadataPrefix.length);
    const value = fields[name];
    if (typeof value === "string" && plain !== "" && !steering.test(plain) && !Object.hasOwn(inner, plain))
      inner[plain] = value;
  }
  return inner;
}

/** ZITADEL's gateway shows these two only under a prefix; we send them under their own names as well. */
function successHeaders(inner: Headers | undefined): HeaderFields {
  const headers: HeaderFields = { "grpcgateway-content-type": "application/grpc" };
  inner?.forEach((value, name) => {
    if (!name.startsWith("content-")) headers[name] = value;
    if (name === "cache-control" || name === "pragma") headers[`grpcgateway-${name}`] = value;
  });
  return headers;
}

async function collect(answer: UniversalServerResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

const acceptsGzip = (request: NodeRequest): boolean =>
  /(?:^|,)\s*gzip\s*(?:,|$)/i.test(String(request.headers["accept-encoding"] ?? ""));

/** A text as a header value: one line of printable ASCII. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]+/g, " ").trim();
