import {
  type DescField,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { contextOf } from "../call.ts";
import { compressMinBytes, gzip } from "../compression.ts";
import type { ConnectHandler } from "../connect-handler.ts";
import type { Exchange } from "../exchange.ts";
import {
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

/**
 * Answers one REST request: builds the message, knocks at the Connect handler like any client in `application/proto`,
 * and writes its answer as REST JSON or as a `google.rpc.Status`.
 * @returns the HTTP status
 */
export async function answerRest(
  connect: ConnectHandler,
  match: RouteMatch,
  exchange: Exchange,
): Promise<number> {
  const { request, response, call } = exchange;
  const { route } = match;
  const { method } = route.method;
  let status: number;
  let headers: HeaderFields = {};
  let body: Uint8Array;
  try {
    const message = fromRest(match, exchange.search, await readJson(route, request, exchange.maxBodyBytes));
    const bytes = toBinary(method.input, message);
    const answer = await connect.handle(route.method, {
      httpVersion: request.httpVersion,
      method: "POST",
      url: `http://localhost${route.method.requestPath}`,
      header: innerHeaders(request),
      body: wholeBody(async () => bytes),
      signal: disconnectSignal(response),
      contextValues: contextOf(call),
    });
    const answered = await collect(answer);
    if (answer.status !== 200)
      throw errorFromJsonBytes(answered, undefined, new ConnectError("internal error", Code.Internal));
    status = route.successStatus;
    headers = successHeaders(answer.header);
    body = Buffer.from(toJsonString(method.output, fromBinary(method.output, answered)));
  } catch (reason) {
    const error = ConnectError.from(reason, Code.Internal);
    status = codeToHttpStatus(error.code);
    if (error.code === Code.Unauthenticated) headers = { "www-authenticate": headerText(error.rawMessage) };
    body = Buffer.from(errorBody(error));
  }
  if (body.byteLength >= compressMinBytes && acceptsGzip(request)) {
    body = await gzip.compress(body);
    headers["content-encoding"] = "gzip";
  }
  sendBytes(
    response,
    status,
    { "content-type": "application/json", "x-request-id": call.requestId, ...headers, ...exchange.headers },
    body,
  );
  return status;
}

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
    return text.trim() === "" ? {} : (JSON.parse(text) as JsonValue);
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

/** The headers of the inner call: credentials, context, deadline, and metadata under its plain name. */
function innerHeaders(request: NodeRequest): Headers {
  const inner = new Headers({ "content-type": "application/proto" });
  const fields = request.headers;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value !== "string") continue;
    if (forwarded.has(name) || name.startsWith("x-zitadel-")) inner.set(name, value);
    else if (name === ":authority" && fields.host === undefined) inner.set("host", value);
    else if (name === "grpc-timeout") inner.set("connect-timeout-ms", toConnectTimeout(value));
  }
  for (const name in fields) {
    if (!name.startsWith(metadataPrefix)) continue;
    const plain = name.slice(metadataPrefix.length);
    const value = fields[name];
    if (typeof value === "string" && plain !== "" && !steering.test(plain) && !inner.has(plain))
      inner.set(plain, value);
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
