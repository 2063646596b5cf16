import { create, type DescMessage, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  DeleteSessionRequestSchema,
  DeleteSessionResponseSchema,
  GetSessionRequestSchema,
  GetSessionResponseSchema,
} from "../src/gen/zitadel/session/v2/session_service_pb.js";

export const protocols = ["Connect JSON", "Connect binary", "gRPC", "gRPC-Web", "REST"] as const;
export type Protocol = (typeof protocols)[number];

/** How an answer says that it is a success: as one of the protocols does, or by an object in JSON. */
export type Wire = Protocol | "JSON";

export const rpcs = ["DeleteSession", "GetSession"] as const;
export type Rpc = (typeof rpcs)[number];

const schemas = {
  DeleteSession: { request: DeleteSessionRequestSchema, response: DeleteSessionResponseSchema },
  GetSession: { request: GetSessionRequestSchema, response: GetSessionResponseSchema },
} as const;

/** A session and the token that proves it. */
export type Session = { sessionId: string; sessionToken: string };

/** One HTTP request, ready to be sent any number of times. */
export type Request = { method: string; path: string; headers: Record<string, string>; body?: Uint8Array };

/** One HTTP response, read to its end. Header names in lower case. */
export type Answer = {
  status: number;
  headers: Record<string, string>;
  trailers: Record<string, string>;
  body: Uint8Array;
};

const service = "/zitadel.session.v2.SessionService";
const userService = "/zitadel.user.v2.UserService";
const contentTypes: Record<Protocol, string> = {
  "Connect JSON": "application/json",
  "Connect binary": "application/proto",
  gRPC: "application/grpc",
  "gRPC-Web": "application/grpc-web+proto",
  REST: "application/json",
};

/** A call as a client of this protocol puts it on the wire. */
export function encodeCall(protocol: Protocol, rpc: Rpc, session: Session, bearer: string): Request {
  const schema = schemas[rpc].request;
  const message = create(schema as typeof DeleteSessionRequestSchema, session);
  const headers = { authorization: `Bearer ${bearer}`, "content-type": contentTypes[protocol] };
  if (protocol === "REST") return restCall(rpc, session, headers);
  return rpcCall(protocol, rpc, encode(protocol, schema, message as MessageShape<typeof schema>), headers);
}

/** Any other call of the session service, by its message as the protocol has it. */
export function encodeRpc(
  protocol: "Connect JSON" | "Connect binary",
  rpc: string,
  body: Uint8Array,
  bearer: string,
): Request {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": contentTypes[protocol] };
  return rpcCall(protocol, rpc, body, headers);
}

/** Any other call over gRPC. */
export function encodeGrpcCall(
  rpc: "CreateSession" | "AddHumanUser",
  message: Uint8Array,
  bearer: string,
): Request {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": contentTypes.gRPC };
  return rpcCall("gRPC", rpc, frame(message), headers, rpc === "AddHumanUser" ? userService : service);
}

function restCall(rpc: Rpc, { sessionId, sessionToken }: Session, headers: Record<string, string>): Request {
  const path = `/v2/sessions/${sessionId}`;
  if (rpc === "GetSession") {
    const { authorization } = headers;
    return {
      method: "GET",
      path: `${path}?sessionToken=${sessionToken}`,
      headers: { authorization: authorization! },
    };
  }
  const body = Buffer.from(JSON.stringify({ sessionToken }));
  return { method: "DELETE", path, headers: { ...headers, "content-length": String(body.length) }, body };
}

function rpcCall(
  protocol: Protocol,
  rpc: string,
  body: Uint8Array,
  headers: Record<string, string>,
  ofService = service,
): Request {
  const own: Record<string, string> =
    protocol === "gRPC"
      ? { te: "trailers" }
      : {
          "content-length": String(body.length),
          ...(protocol === "gRPC-Web" ? { "x-grpc-web": "1" } : { "connect-protocol-version": "1" }),
        };
  return { method: "POST", path: `${ofService}/${rpc}`, headers: { ...headers, ...own }, body };
}

function encode<S extends DescMessage>(protocol: Protocol, schema: S, message: MessageShape<S>): Uint8Array {
  if (protocol === "REST" || protocol === "Connect JSON") return Buffer.from(toJsonString(schema, message));
  const bytes = toBinary(schema, message);
  return protocol === "Connect binary" ? bytes : frame(bytes);
}

const TRAILERS = 0x80;
const HEAD_BYTES = 5;
const BRACE = "{".charCodeAt(0);

/** The envelope of gRPC and gRPC-Web: one byte of flags, four of length. */
function frame(message: Uint8Array, flags = 0): Uint8Array {
  const framed = Buffer.alloc(HEAD_BYTES + message.length);
  framed.writeUInt8(flags, 0);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, HEAD_BYTES);
  return framed;
}

/**
 * The message of a successful answer.
 * @throws Error that says what came instead, if it is no success or has no message
 */
export function messageOf(protocol: Wire, answer: Answer): Uint8Array {
  const body = Buffer.from(answer.body.buffer, answer.body.byteOffset, answer.body.byteLength);
  const refuse = (what: string) =>
    new Error(`${protocol}: ${what}: HTTP ${answer.status} ${body.toString()}`);
  if (answer.status !== 200) throw refuse("the call failed");
  if (protocol !== "gRPC" && protocol !== "gRPC-Web") {
    if (body.length === 0) throw refuse("the answer is empty");
    if (protocol === "JSON" && body[0] !== BRACE) throw refuse("the answer is no object");
    return body;
  }
  const status = answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];
  const message =
    body.length < HEAD_BYTES ? undefined : body.subarray(HEAD_BYTES, HEAD_BYTES + body.readUInt32BE(1));
  const trailers = protocol === "gRPC" ? `grpc-status: ${status}` : webTrailers(body, message?.length ?? 0);
  if (!/^grpc-status: *0\b/im.test(trailers))
    throw refuse(`the call failed (${trailers.trim() || "no status"})`);
  if (message === undefined || message.length === 0) throw refuse("the answer is empty");
  return message;
}

function webTrailers(body: Buffer, messageBytes: number): string {
  const at = HEAD_BYTES + messageBytes;
  return body.length > at && body[at]! === TRAILERS ? body.subarray(at + HEAD_BYTES).toString() : "";
}

/** The answer of a method that has nothing to do. */
export function emptyMessage(rpc: Rpc) {
  const timestamp = { seconds: 1_750_000_000n, nanos: 123_000_000 };
  return rpc === "DeleteSession"
    ? create(DeleteSessionResponseSchema, {
        details: {
          sequence: 4n,
          changeDate: timestamp,
          resourceOwner: "0197a000-0000-7000-8000-000000000000",
        },
      })
    : create(GetSessionResponseSchema, {
        session: {
          id: "0197a000-0000-7000-8000-000000000000",
          creationDate: timestamp,
          changeDate: timestamp,
          sequence: 3n,
          metadata: { device: Buffer.from("laptop") },
        },
      });
}

/** What a server that has nothing to do answers: a session or its details, in the protocol's own framing. */
export function emptyAnswer(protocol: Protocol, rpc: Rpc): Answer {
  const { response } = schemas[rpc];
  const message = emptyMessage(rpc);
  const body = encode(protocol, response, message as MessageShape<typeof response>);
  const headers: Record<string, string> = { "content-type": contentTypes[protocol] };
  if (protocol === "gRPC") return { status: 200, headers, trailers: { "grpc-status": "0" }, body };
  const whole =
    protocol === "gRPC-Web"
      ? Buffer.concat([body, frame(Buffer.from("grpc-status: 0\r\n"), TRAILERS)])
      : body;
  return {
    status: 200,
    headers: { ...headers, "content-length": String(whole.length) },
    trailers: {},
    body: whole,
  };
}

/** The call a request makes, by its path, method and content type. */
export function callOf(
  method: string,
  path: string,
  contentType: string | undefined,
): { protocol: Protocol; rpc: Rpc } {
  if (path.startsWith("/v2/"))
    return { protocol: "REST", rpc: method === "GET" ? "GetSession" : "DeleteSession" };
  const rpc = path.endsWith("/GetSession") ? "GetSession" : "DeleteSession";
  return { protocol: protocols.find((protocol) => contentTypes[protocol] === contentType)!, rpc };
}
