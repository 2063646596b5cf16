import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createClientFor } from "@zitadel/client";
import { createClientTransport } from "@zitadel/client/web";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "@zitadel/proto/zitadel/message_pb.js";
import {
  CreateSessionRequestSchema,
  CreateSessionResponseSchema,
  GetSessionResponseSchema,
  ListSessionsResponseSchema,
  SessionService,
} from "@zitadel/proto/zitadel/session/v2/session_service_pb.js";

/** What runs in the browser: bundled, served on another origin, and called by the test through `pageFunctions`. */

export type Where = { url: string; token: string };

export type Walk = {
  sessionId: string;
  tokens: string[];
  created: string;
  read: JsonObject;
  listed: JsonObject;
  changed: string;
  ended: string;
};

export type SeenError = { code: number; message: string; detail: JsonObject; requestId: string | null };

export type TextAnswer = {
  status: number;
  contentType: string | null;
  requestId: string | null;
  response?: JsonObject;
  trailers: string;
};

const clientOf = ({ url, token }: Where) =>
  createClientFor(SessionService)(
    createClientTransport(token, { baseUrl: url } as Parameters<typeof createClientTransport>[1]),
  );

/** All five methods, one after the other. */
async function walk(where: Where, userId: string, password: string): Promise<Walk> {
  const client = clientOf(where);
  const created = await client.createSession({
    checks: { user: { search: { case: "userId", value: userId } }, password: { password } },
  });
  const { sessionId } = created;
  const read = await client.getSession({ sessionId, sessionToken: created.sessionToken });
  const listed = await client.listSessions({
    queries: [{ query: { case: "idsQuery", value: { ids: [sessionId] } } }],
  });
  const changed = await client.setSession({
    sessionId,
    metadata: { from: new TextEncoder().encode("the browser") },
  });
  const ended = await client.deleteSession({ sessionId, sessionToken: changed.sessionToken });
  return {
    sessionId,
    tokens: [created.sessionToken, changed.sessionToken],
    created: String(created.details!.sequence),
    read: toJson(GetSessionResponseSchema, read) as JsonObject,
    listed: toJson(ListSessionsResponseSchema, listed) as JsonObject,
    changed: String(changed.details!.sequence),
    ended: String(ended.details!.sequence),
  };
}

async function failed(call: Promise<unknown>): Promise<SeenError> {
  try {
    await call;
  } catch (reason) {
    const error = ConnectError.from(reason);
    const [detail] = [
      ...error
        .findDetails(CredentialsCheckErrorSchema)
        .map((found) => toJson(CredentialsCheckErrorSchema, found)),
      ...error.findDetails(ErrorDetailSchema).map((found) => toJson(ErrorDetailSchema, found)),
    ];
    return {
      code: error.code,
      message: error.rawMessage,
      detail: (detail ?? {}) as JsonObject,
      requestId: error.metadata.get("x-request-id"),
    };
  }
  throw new Error("the call did not fail");
}

const readUnknown = (where: Where): Promise<SeenError> =>
  failed(clientOf(where).getSession({ sessionId: "no-such-session" }));

const wrongPassword = (where: Where, userId: string, password: string): Promise<SeenError> =>
  failed(
    clientOf(where).createSession({
      checks: { user: { search: { case: "userId", value: userId } }, password: { password } },
    }),
  );

/** CreateSession in gRPC-Web text, framed here. */
async function createInText({ url, token }: Where, request: JsonObject): Promise<TextAnswer> {
  const message = toBinary(CreateSessionRequestSchema, fromJson(CreateSessionRequestSchema, request));
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  const answer = await fetch(`${url}/zitadel.session.v2.SessionService/CreateSession`, {
    method: "POST",
    headers: {
      "content-type": "application/grpc-web-text",
      accept: "application/grpc-web-text",
      "x-grpc-web": "1",
      "x-user-agent": "grpc-web-javascript/0.1",
      authorization: `Bearer ${token}`,
    },
    body: btoa(String.fromCharCode(...framed)),
  });
  const seen: TextAnswer = {
    status: answer.status,
    contentType: answer.headers.get("content-type"),
    requestId: answer.headers.get("x-request-id"),
    trailers: ["grpc-status", "grpc-message", "grpc-status-details-bin"]
      .filter((name) => answer.headers.has(name))
      .map((name) => `${name}: ${answer.headers.get(name)}\r\n`)
      .join(""),
  };
  const pieces = (await answer.text()).match(/[^=]+=*/g) ?? [];
  const body = Uint8Array.from(pieces.flatMap((piece) => [...atob(piece)].map((char) => char.charCodeAt(0))));
  for (let at = 0; at < body.length; ) {
    const length = new DataView(body.buffer, at + 1).getUint32(0);
    const data = body.slice(at + 5, at + 5 + length);
    if (body[at] === 0x80) seen.trailers += new TextDecoder().decode(data);
    else
      seen.response = toJson(
        CreateSessionResponseSchema,
        fromBinary(CreateSessionResponseSchema, data),
      ) as JsonObject;
    at += 5 + length;
  }
  return seen;
}

/** A DELETE with a body on the REST route, which no browser sends without asking first. */
async function endByRest({ url, token }: Where, sessionId: string): Promise<number> {
  const answer = await fetch(`${url}/v2/sessions/${sessionId}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: "{}",
  });
  return answer.status;
}

/** Whether the browser lets this page read an answer of the server at all. */
const mayCall = (where: Where): Promise<boolean> =>
  clientOf(where)
    .listSessions({})
    .then(
      () => true,
      () => false,
    );

export const functions = { walk, readUnknown, wrongPassword, createInText, endByRest, mayCall };
export type PageFunctions = typeof functions;

Object.assign(globalThis, { pageFunctions: functions });
