import { execFile } from "node:child_process";
import {
  createRegistry,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import * as grpc from "@grpc/grpc-js";
import { createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { createSessionServiceClient } from "@zitadel/client/v2";
import { createClientTransport } from "@zitadel/client/web";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "@zitadel/proto/zitadel/message_pb.js";
import { SessionService } from "@zitadel/proto/zitadel/session/v2/session_service_pb.js";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.js";

/** ZITADEL's own client for the session service, over gRPC, as it is. */
export type SessionClient = ReturnType<typeof createSessionServiceClient>;

const sessionClients = new Map<string, SessionClient>();

/** The client an application would use: `@zitadel/client` with a token. */
export function sessionClient(url: string, token: string): SessionClient {
  return remembered(sessionClients, `${url} ${token}`, () =>
    createSessionServiceClient(createServerTransport(token, { baseUrl: url })),
  );
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

/** What a client learns from a refusal. `id` and `text` come from the one detail; without one they are undefined. */
export type Refusal = {
  code: Code;
  message: string;
  id?: string;
  text?: string;
  /** From a `CredentialsCheckError`. */
  failedAttempts?: number;
};

/** The refusal a call ends with. @throws Error if the call succeeds */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    const { code, rawMessage, details } = ConnectError.from(error);
    const found = details.map((detail) => fromDetail("desc" in detail ? undefined : detail));
    return { code, message: rawMessage, ...found[0] };
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(answer, bigintAsText)}`);
}

/** A refusal with the one detail most have. */
export const refused = (code: Code, text: string, id: string): Refusal => ({
  code,
  message: `${text} (${id})`,
  id,
  text,
});

const bigintAsText = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

function fromDetail(
  detail: { type: string; value: Uint8Array } | undefined,
): Pick<Refusal, "id" | "text" | "failedAttempts"> {
  switch (detail?.type) {
    case ErrorDetailSchema.typeName: {
      const { id, message } = fromBinary(ErrorDetailSchema, detail.value);
      return { id, text: message };
    }
    case CredentialsCheckErrorSchema.typeName: {
      const { id, message, failedAttempts } = fromBinary(CredentialsCheckErrorSchema, detail.value);
      return { id, text: message, failedAttempts };
    }
    default:
      throw new Error(`a detail nobody knows: ${detail?.type}`);
  }
}

/** The five methods, by the names the contract has. */
export type SessionMethod = "CreateSession" | "GetSession" | "ListSessions" | "SetSession" | "DeleteSession";

/** Where a call goes and as whom. */
export type Endpoint = {
  url: string;
  /** The whole header value; undefined: no header. */
  authorization?: string | undefined;
  headers?: Record<string, string>;
};

/** What came back, in one form for every protocol. */
export type Reply = {
  /** gRPC code; 0 is OK. */
  code: number;
  message: string;
  /** Each detail as `Any` in JSON: `@type` and the fields inline. */
  details: JsonValue[];
  /** The response message as JSON; undefined if the call was refused. */
  response: JsonObject | undefined;
  /** Undefined where a client does not tell. */
  httpStatus: number | undefined;
  /** Response headers, and trailers where there are any, by lower case name. */
  headers: Record<string, string>;
};

/** One protocol as one client speaks it. Requests are given in JSON, whatever goes over the wire. */
export type WireClient = {
  name: string;
  send(endpoint: Endpoint, method: SessionMethod, request: JsonObject): Promise<Reply>;
};

/** One version of the session service: its descriptor as others generated it, and where its REST routes begin. */
export type ServiceVersion = { service: DescService; rest: string };

export const currentVersion: ServiceVersion = { service: SessionService, rest: "/v2/sessions" };

/** Every client that runs inside this process. */
export function wireClients(version: ServiceVersion): WireClient[] {
  return [
    zitadelClient("@zitadel/client, gRPC", version, grpcTransport),
    zitadelClient("@zitadel/client, gRPC-Web", version, grpcWebTransport),
    grpcJsClient(version),
    connectClient("Connect JSON", version, "application/json"),
    connectClient("Connect binary", version, "application/proto"),
    restClient(version),
    grpcWebClient("gRPC-Web by hand", version, "application/grpc-web+proto"),
    grpcWebClient("gRPC-Web text by hand", version, "application/grpc-web-text"),
  ];
}

const details = createRegistry(ErrorDetailSchema, CredentialsCheckErrorSchema);

function methodOf({ service }: ServiceVersion, name: SessionMethod): DescMethodUnary {
  const method = service.methods.find((candidate) => candidate.name === name);
  if (method?.methodKind !== "unary") throw new Error(`${service.typeName} has no ${name}`);
  return method as DescMethodUnary;
}

const pathOf = ({ service }: ServiceVersion, name: SessionMethod): string => `/${service.typeName}/${name}`;

const encode = (method: DescMethodUnary, request: JsonObject): Uint8Array<ArrayBuffer> =>
  new Uint8Array(toBinary(method.input, fromJson(method.input, request)));

/** Through the generated message and back, so that every protocol's answer has one form. */
const decode = (method: DescMethodUnary, bytes: Uint8Array): JsonObject =>
  toJson(method.output, fromBinary(method.output, bytes)) as JsonObject;
const normalize = (method: DescMethodUnary, json: JsonValue): JsonObject =>
  toJson(method.output, fromJson(method.output, json)) as JsonObject;

function detailJson(type: string, value: Uint8Array): JsonObject {
  const name = type.replace(/^type\.googleapis\.com\//, "");
  const schema = details.getMessage(name);
  if (!schema) throw new Error(`a detail nobody knows: ${type}`);
  return {
    "@type": `type.googleapis.com/${name}`,
    ...(toJson(schema, fromBinary(schema, value)) as JsonObject),
  };
}

const anyJson = (any: Any): JsonObject => {
  const message = anyUnpack(any, details);
  if (!message) throw new Error(`a detail nobody knows: ${any.typeUrl}`);
  return detailJson(any.typeUrl, any.value);
};

const ok = (
  response: JsonObject,
  httpStatus: number | undefined,
  headers: Record<string, string>,
): Reply => ({
  code: 0,
  message: "",
  details: [],
  response,
  httpStatus,
  headers,
});

type TransportFor = (endpoint: Endpoint) => Transport;

const bearer = (authorization: string | undefined): string | undefined =>
  authorization?.startsWith("Bearer ") ? authorization.slice("Bearer ".length) : undefined;

// The client's own factories know bearer tokens only. What they wrap carries every other header, or none.
const grpcTransport: TransportFor = ({ url, authorization }) => {
  const token = bearer(authorization);
  return token === undefined
    ? createGrpcTransport({ baseUrl: url })
    : createServerTransport(token, { baseUrl: url });
};

const grpcWebTransport: TransportFor = ({ url, authorization }) => {
  const token = bearer(authorization);
  return token === undefined
    ? createGrpcWebTransport({ baseUrl: url })
    : // The type asks for an option of the other transport.
      createClientTransport(token, { baseUrl: url } as Parameters<typeof createClientTransport>[1]);
};

type Calls = Record<
  string,
  (
    request: Message,
    options: {
      headers: Record<string, string>;
      onHeader(headers: Headers): void;
      onTrailer(trailers: Headers): void;
    },
  ) => Promise<Message>
>;

function zitadelClient(name: string, version: ServiceVersion, transportFor: TransportFor): WireClient {
  const clients = new Map<string, Calls>();
  return {
    name,
    async send(endpoint, methodName, request) {
      const method = methodOf(version, methodName);
      const calls = remembered(
        clients,
        `${endpoint.url} ${endpoint.authorization}`,
        () => createClientFor(version.service)(transportFor(endpoint)) as unknown as Calls,
      );
      const headers: Record<string, string> = {};
      const keep = (received: Headers) => Object.assign(headers, Object.fromEntries(received));
      const isBearer = bearer(endpoint.authorization) !== undefined;
      try {
        const response = await calls[method.localName]!(fromJson(method.input, request), {
          headers: {
            ...endpoint.headers,
            ...(isBearer || endpoint.authorization === undefined
              ? {}
              : { authorization: endpoint.authorization }),
          },
          onHeader: keep,
          onTrailer: keep,
        });
        return ok(toJson(method.output, response) as JsonObject, undefined, headers);
      } catch (reason) {
        const error = ConnectError.from(reason);
        keep(error.metadata);
        return {
          code: error.code,
          message: error.rawMessage,
          details: error.details.map((detail) => {
            if ("desc" in detail) throw new Error("an error detail of the client's own making");
            return detailJson(detail.type, detail.value);
          }),
          response: undefined,
          httpStatus: undefined,
          headers,
        };
      }
    },
  };
}

function grpcJsClient(version: ServiceVersion): WireClient {
  const clients = new Map<string, grpc.Client>();
  return {
    name: "@grpc/grpc-js",
    send(endpoint, methodName, request) {
      const method = methodOf(version, methodName);
      const client = remembered(
        clients,
        endpoint.url,
        () => new grpc.Client(new URL(endpoint.url).host, grpc.credentials.createInsecure()),
      );
      const metadata = new grpc.Metadata();
      for (const [key, value] of Object.entries(endpoint.headers ?? {})) metadata.set(key, value);
      if (endpoint.authorization !== undefined) metadata.set("authorization", endpoint.authorization);
      const headers: Record<string, string> = {};
      const keep = (received: grpc.Metadata) => {
        for (const [key, value] of Object.entries(received.getMap()))
          headers[key] = typeof value === "string" ? value : value.toString("base64");
      };
      return new Promise((resolve, reject) => {
        let answer: Reply | undefined;
        const call = client.makeUnaryRequest(
          pathOf(version, methodName),
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes) => bytes,
          encode(method, request),
          metadata,
          (error, bytes) => {
            try {
              if (error) {
                keep(error.metadata);
                const [status] = error.metadata.get("grpc-status-details-bin");
                const decoded = status === undefined ? undefined : fromBinary(StatusSchema, status as Buffer);
                const message = decodeURIComponent(error.details);
                if (decoded && (decoded.code !== error.code || decoded.message !== message))
                  throw new Error("the status and its details disagree");
                answer = {
                  code: error.code,
                  message,
                  details: decoded?.details.map(anyJson) ?? [],
                  response: undefined,
                  httpStatus: undefined,
                  headers,
                };
              } else {
                answer = ok(decode(method, bytes!), undefined, headers);
              }
            } catch (reason) {
              reject(reason);
            }
          },
        );
        call.on("metadata", keep);
        call.on("status", ({ metadata: trailers }) => {
          keep(trailers);
          if (answer) resolve(answer);
        });
      });
    },
  };
}

/** The text of a refusal as grpc-js itself shows it; its decoder leaves reserved characters alone. */
export function grpcJsMessage(
  { url, authorization }: Endpoint,
  methodName: SessionMethod,
  request: JsonObject,
): Promise<string | undefined> {
  const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      pathOf(currentVersion, methodName),
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      encode(methodOf(currentVersion, methodName), request),
      metadata,
      (error) => {
        client.close();
        resolve(error?.details);
      },
    );
  });
}

const headersOf = (endpoint: Endpoint, contentType: string): Record<string, string> => ({
  "content-type": contentType,
  ...endpoint.headers,
  ...(endpoint.authorization === undefined ? {} : { authorization: endpoint.authorization }),
});

function connectClient(name: string, version: ServiceVersion, contentType: string): WireClient {
  const isJson = contentType === "application/json";
  return {
    name,
    async send(endpoint, methodName, request) {
      const method = methodOf(version, methodName);
      const answer = await fetch(endpoint.url + pathOf(version, methodName), {
        method: "POST",
        headers: { "connect-protocol-version": "1", ...headersOf(endpoint, contentType) },
        body: isJson ? JSON.stringify(request) : encode(method, request),
      });
      const headers = Object.fromEntries(answer.headers);
      if (answer.status === 200) {
        if (headers["content-type"] !== contentType)
          throw new Error(`asked in ${contentType}, answered in ${headers["content-type"]}`);
        const response = isJson
          ? normalize(method, (await answer.json()) as JsonValue)
          : decode(method, new Uint8Array(await answer.arrayBuffer()));
        return ok(response, 200, headers);
      }
      if (headers["content-type"] !== "application/json")
        throw new Error(`an error of Connect is JSON, this is ${headers["content-type"]}`);
      const error = (await answer.json()) as {
        code: string;
        message?: string;
        details?: { type: string; value: string; debug?: JsonObject }[];
      };
      return {
        code: codeByName(error.code),
        message: error.message ?? "",
        details: (error.details ?? []).map(({ type, value, debug }) => {
          if (value.includes("=")) throw new Error("base64 of a detail comes without padding");
          const json = detailJson(type, Buffer.from(value, "base64"));
          if (JSON.stringify({ ...json, ...debug }) !== JSON.stringify(json))
            throw new Error("a detail and its JSON form disagree");
          return json;
        }),
        response: undefined,
        httpStatus: answer.status,
        headers,
      };
    },
  };
}

function codeByName(name: string): number {
  const found = Object.entries(Code).find(
    ([key]) => key.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase() === name,
  );
  if (!found) throw new Error(`no code is called ${name}`);
  return Number(found[1]);
}

/** For requests newer than the generated client: it sends any JSON. */
export const connectJson = connectClient("Connect JSON", currentVersion, "application/json");

/** Verb and path of a method's REST form; what stays of the request is the body, or the query. */
export function restForm(
  rest: string,
  method: SessionMethod,
  request: JsonObject,
): { verb: string; target: string; body?: string } {
  if (method === "CreateSession") return { verb: "POST", target: rest, body: JSON.stringify(request) };
  if (method === "ListSessions")
    return { verb: "POST", target: `${rest}/search`, body: JSON.stringify(request) };
  const { sessionId, ...others } = request;
  const target = `${rest}/${encodeURIComponent(String(sessionId ?? ""))}`;
  if (method === "GetSession") {
    const query = new URLSearchParams(others as Record<string, string>).toString();
    return { verb: "GET", target: query === "" ? target : `${target}?${query}` };
  }
  return { verb: method === "SetSession" ? "PATCH" : "DELETE", target, body: JSON.stringify(others) };
}

function restClient(version: ServiceVersion): WireClient {
  return {
    name: "REST",
    async send(endpoint, methodName, request) {
      const { verb, target, body } = restForm(version.rest, methodName, request);
      const answer = await fetch(endpoint.url + target, {
        method: verb,
        headers: headersOf(endpoint, "application/json"),
        ...(body === undefined ? {} : { body }),
      });
      return restReply(
        methodOf(version, methodName),
        answer.status,
        Object.fromEntries(answer.headers),
        await answer.text(),
      );
    },
  };
}

function restReply(
  method: DescMethodUnary,
  status: number,
  headers: Record<string, string>,
  text: string,
): Reply {
  if (headers["content-type"] !== "application/json")
    throw new Error(`REST answers in JSON, this is ${headers["content-type"]}`);
  const json = JSON.parse(text) as JsonObject;
  if (status < 300) return ok(normalize(method, json), status, headers);
  return {
    code: json.code as number,
    message: (json.message as string | undefined) ?? "",
    details: (json.details as JsonValue[] | undefined) ?? [],
    response: undefined,
    httpStatus: status,
    headers,
  };
}

/** An envelope of gRPC and gRPC-Web. */
function frame(message: Uint8Array, flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + message.length);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

function framesOf(body: Buffer): { flags: number; data: Buffer }[] {
  const found = [];
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    if (at + 5 + length > body.length) throw new Error("a frame is cut short");
    found.push({ flags: body.readUInt8(at), data: body.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return found;
}

function grpcWebClient(name: string, version: ServiceVersion, contentType: string): WireClient {
  const isText = contentType.startsWith("application/grpc-web-text");
  return {
    name,
    async send(endpoint, methodName, request) {
      const method = methodOf(version, methodName);
      const message = frame(encode(method, request));
      const answer = await fetch(endpoint.url + pathOf(version, methodName), {
        method: "POST",
        headers: { accept: contentType, "x-grpc-web": "1", ...headersOf(endpoint, contentType) },
        body: isText ? Buffer.from(message).toString("base64") : message,
      });
      const headers: Record<string, string> = Object.fromEntries(answer.headers);
      if (!headers["content-type"]?.startsWith(contentType))
        throw new Error(`asked in ${contentType}, answered in ${headers["content-type"]}`);
      const raw = isText
        ? fromBase64Pieces(await answer.text())
        : Buffer.from(new Uint8Array(await answer.arrayBuffer()));
      let response: JsonObject | undefined;
      for (const { flags, data } of framesOf(raw)) {
        if (flags === 0x80) Object.assign(headers, trailersOf(data.toString("latin1")));
        else response = decode(method, data);
      }
      return grpcReply(answer.status, headers, response);
    },
  };
}

/** Base64 whose pieces may each be padded, as servers that encode frame by frame send it. */
const fromBase64Pieces = (text: string): Buffer =>
  Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, "base64")));

const trailersOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split("\r\n")
      .filter((line) => line !== "")
      .map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      }),
  );

function grpcReply(
  httpStatus: number,
  headers: Record<string, string>,
  response: JsonObject | undefined,
): Reply {
  const code = Number(headers["grpc-status"]);
  if (!(code >= 0 && code <= 16)) throw new Error(`no gRPC status: ${JSON.stringify(headers)}`);
  if (code === 0) {
    if (response === undefined) throw new Error("OK without a message");
    return ok(response, httpStatus, headers);
  }
  const bytes = headers["grpc-status-details-bin"];
  const status = bytes === undefined ? undefined : fromBinary(StatusSchema, Buffer.from(bytes, "base64"));
  const message = decodeURIComponent(headers["grpc-message"] ?? "");
  if (status && (status.code !== code || status.message !== message))
    throw new Error("the status and its details disagree");
  return { code, message, details: status?.details.map(anyJson) ?? [], response, httpStatus, headers };
}

/** A program that ended, whatever its exit code. */
type Ended = { exitCode: number; stdout: string; stderr: string };

function run(program: string, args: string[], input = ""): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

export type BufProtocol = "grpc" | "grpcweb" | "connect";

/**
 * `buf curl`, a client in Go.
 * @param schema where it learns the messages: our contract's files, or the server's reflection
 */
export function bufCurl(protocol: BufProtocol, schema: "files" | "reflection"): WireClient {
  return {
    name: `buf curl, ${protocol}, schema from ${schema}`,
    async send(endpoint, methodName, request) {
      const method = methodOf(currentVersion, methodName);
      const { exitCode, stdout, stderr } = await run("node_modules/.bin/buf", [
        "curl",
        ...["--protocol", protocol, "--http2-prior-knowledge"],
        ...(schema === "files" ? ["--schema", "proto"] : []),
        ...(endpoint.authorization === undefined
          ? []
          : ["--header", `Authorization: ${endpoint.authorization}`]),
        ...["--data", JSON.stringify(request)],
        endpoint.url + pathOf(currentVersion, methodName),
      ]);
      if (exitCode === 0) return ok(normalize(method, JSON.parse(stdout) as JsonValue), undefined, {});
      const error = JSON.parse(stderr) as {
        code: string;
        message?: string;
        details?: { type: string; value: string }[];
      };
      const code = codeByName(error.code);
      // buf's exit code is the gRPC code times eight.
      if (exitCode !== code * 8) throw new Error(`exit code ${exitCode}: ${stderr}`);
      return {
        code,
        message: error.message ?? "",
        details: (error.details ?? []).map(({ type, value }) =>
          detailJson(type, Buffer.from(value, "base64")),
        ),
        response: undefined,
        httpStatus: undefined,
        headers: {},
      };
    },
  };
}

/** The `curl` of the machine on the REST routes; undefined where there is none. */
export async function curl(): Promise<WireClient | undefined> {
  try {
    await run("curl", ["--version"]);
  } catch {
    return undefined;
  }
  return {
    name: "curl, REST",
    async send(endpoint, methodName, request) {
      const { verb, target, body } = restForm(currentVersion.rest, methodName, request);
      const { stdout } = await run(
        "curl",
        [
          ...["--silent", "--include", "--request", verb],
          ...(endpoint.authorization === undefined
            ? []
            : ["--header", `Authorization: ${endpoint.authorization}`]),
          ...(body === undefined ? [] : ["--header", "Content-Type: application/json", "--data", "@-"]),
          endpoint.url + target,
        ],
        body,
      );
      const end = stdout.indexOf("\r\n\r\n");
      const [statusLine = "", ...lines] = stdout.slice(0, end).split("\r\n");
      const headers = Object.fromEntries(
        Object.entries(trailersOf(lines.join("\r\n"))).map(([key, value]) => [key.toLowerCase(), value]),
      );
      return restReply(
        methodOf(currentVersion, methodName),
        Number(statusLine.split(" ")[1]),
        headers,
        stdout.slice(end + 4),
      );
    },
  };
}
