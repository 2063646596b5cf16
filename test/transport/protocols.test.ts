import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { beforeEach, describe, expect, test } from "vitest";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.js";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "../../src/gen/zitadel/message_pb.js";
import {
  GetSessionRequestSchema,
  GetSessionResponseSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { httpStatus } from "../support/http-status.ts";
import { type Answer, frame, frames, overHttp1, overHttp2, type Send } from "./clients.ts";
import { startServer, type TestServer } from "./server.ts";

const path = "/zitadel.session.v2.SessionService/GetSession";
const message = create(GetSessionRequestSchema, { sessionId: "7" });
const proto = toBinary(GetSessionRequestSchema, message);
const json = Buffer.from(toJsonString(GetSessionRequestSchema, message));
const readProto = (bytes: Uint8Array) => fromBinary(GetSessionResponseSchema, bytes).session?.id;
const readJson = (bytes: Uint8Array) =>
  fromJsonString(GetSessionResponseSchema, Buffer.from(bytes).toString()).session?.id;
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const unbase64 = (bytes: Buffer) => Buffer.from(bytes.toString(), "base64");

const transports: [string, Send][] = [
  ["HTTP/1.1", overHttp1],
  ["HTTP/2", overHttp2],
];

/** Content type given; body; content type answered; where the id is in the answer. */
const kinds: [string, Uint8Array | string, string, (body: Buffer) => string | undefined][] = [
  ["application/json", json, "application/json", readJson],
  ["application/json; charset=utf-8", json, "application/json", readJson],
  ["application/json;charset=UTF-8;q=1", json, "application/json", readJson],
  ["Application/JSON", json, "application/json", readJson],
  ["application/proto", proto, "application/proto", readProto],
  ["application/proto; x=y", proto, "application/proto", readProto],
  ["application/grpc", frame(proto), "application/grpc", (body) => readProto(frames(body)[0]!.data)],
  [
    "application/grpc+proto",
    frame(proto),
    "application/grpc+proto",
    (body) => readProto(frames(body)[0]!.data),
  ],
  ["application/grpc+json", frame(json), "application/grpc+json", (body) => readJson(frames(body)[0]!.data)],
  ["application/grpc-web", frame(proto), "application/grpc-web", (body) => readProto(frames(body)[0]!.data)],
  [
    "application/grpc-web+proto",
    frame(proto),
    "application/grpc-web+proto",
    (body) => readProto(frames(body)[0]!.data),
  ],
  [
    "application/grpc-web+proto;charset=x",
    frame(proto),
    "application/grpc-web+proto",
    (body) => readProto(frames(body)[0]!.data),
  ],
  [
    "application/grpc-web+json",
    frame(json),
    "application/grpc-web+json",
    (body) => readJson(frames(body)[0]!.data),
  ],
  [
    "application/grpc-web-text",
    base64(frame(proto)),
    "application/grpc-web-text+proto",
    (body) => readProto(frames(unbase64(body))[0]!.data),
  ],
  [
    "application/grpc-web-text+proto; charset=utf-8",
    base64(frame(proto)),
    "application/grpc-web-text+proto",
    (body) => readProto(frames(unbase64(body))[0]!.data),
  ],
];

describe.each(transports)("over %s", (_, send) => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startServer({
      session: { getSession: ({ sessionId }) => ({ session: { id: sessionId } }) },
    });
  });

  test.each(kinds)("%s", async (type, body, answered, read) => {
    const answer = await send(server.port, { path, headers: { "content-type": type }, body });
    expect([answer.status, answer.headers["content-type"], read(answer.body)]).toEqual([200, answered, "7"]);
    expect(answer.headers).toMatchObject({
      "cache-control": "no-store",
      pragma: "no-cache",
      "x-robots-tag": "none",
    });
    expect(new Date(answer.headers.expires!).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(answer.headers["x-request-id"]).toBe(server.logs.at(-1)!.requestId);
  });

  test("gRPC ends with its status in a trailer, gRPC-Web with one in a frame", async () => {
    const grpc = await send(server.port, {
      path,
      headers: { "content-type": "application/grpc", te: "trailers" },
      body: frame(proto),
    });
    expect(grpc.trailers).toEqual({ "grpc-status": "0" });
    const web = await send(server.port, {
      path,
      headers: { "content-type": "application/grpc-web+proto" },
      body: frame(proto),
    });
    const [, trailer] = frames(web.body);
    expect([trailer!.flags, trailer!.data.toString()]).toEqual([0x80, "grpc-status: 0\r\n"]);
  });

  test.each([
    "text/plain",
    "application/xml",
    "application/json; charset=latin1",
    "application/grpc+xml",
    "application/grpc-web-text+json",
    "application/connect+json",
    "",
  ])("content type «%s» is 415 and says what would do", async (type) => {
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    const answer = await send(server.port, { path, headers, body: json });
    expect([answer.status, answer.body.length]).toEqual([415, 0]);
    const accepted = answer.headers["accept-post"]!.split(", ");
    expect(accepted).toEqual(
      expect.arrayContaining([
        "application/json",
        "application/json; charset=utf-8",
        "application/proto",
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web+json",
      ]),
    );
  });

  test.each(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])(
    "%s on an RPC path is 405",
    async (method) => {
      const answer = await send(server.port, { method, path });
      expect([answer.status, answer.headers.allow]).toEqual([405, "POST"]);
    },
  );

  test("an unknown method is 404 in plain text, an unknown service likewise for gRPC", async () => {
    for (const [unknown, type] of [
      ["/zitadel.session.v2.SessionService/EndSession", "application/json"],
      ["/zitadel.session.v2.SessionService/", "application/json"],
      ["/zitadel.session.v2.SessionService/EndSession", "application/grpc"],
      ["/zitadel.other.v2.OtherService/Get", "application/grpc"],
      ["/zitadel.other.v2.OtherService/Get", "application/grpc-web+proto"],
    ] as const) {
      const answer = await send(server.port, {
        path: unknown,
        headers: { "content-type": type },
        body: json,
      });
      expect([answer.status, answer.headers["content-type"]]).toEqual([404, "text/plain; charset=utf-8"]);
    }
  });

  test("a query on an RPC path changes nothing", async () => {
    const answer = await send(server.port, {
      path: `${path}?a=%zz&b`,
      headers: { "content-type": "application/json" },
      body: json,
    });
    expect([answer.status, readJson(answer.body)]).toEqual([200, "7"]);
  });

  test("x-grpc-web does not choose the protocol", async () => {
    const headers = { "content-type": "application/json", "x-grpc-web": "1" };
    expect(readJson((await send(server.port, { path, headers, body: json })).body)).toBe("7");
  });

  test("an empty JSON body is refused, an empty binary one is an empty message", async () => {
    const create = "/zitadel.session.v2.SessionService/ListSessions";
    const list = (type: string) =>
      send(server.port, { path: create, headers: { "content-type": type }, body: "" });
    expect((await list("application/json")).status).toBe(400);
    // The test's service has no such method: the message was read and the call made.
    expect((await list("application/proto")).status).toBe(501);
  });

  test("JSON names are lowerCamel or snake, unknown members are ignored", async () => {
    for (const body of ['{"sessionId":"7","later":{"a":[1]}}', '{"session_id":"7"}']) {
      expect(
        readJson(
          (await send(server.port, { path, headers: { "content-type": "application/json" }, body })).body,
        ),
      ).toBe("7");
    }
  });
});

const codes = Object.values(Code).filter((code) => typeof code === "number");

describe("an error of code", () => {
  const text = "wrong password ✗ (COMMAND-3M0fs)";
  const detail = { id: "COMMAND-3M0fs", message: "wrong password ✗", failedAttempts: 2 };
  const detailBytes = toBinary(CredentialsCheckErrorSchema, create(CredentialsCheckErrorSchema, detail));

  const failing = (code: Code) =>
    startServer({
      session: {
        getSession() {
          throw new ConnectError(text, code, undefined, [
            { desc: CredentialsCheckErrorSchema, value: detail },
          ]);
        },
      },
    });
  const call = (server: TestServer, send: Send, type: string): Promise<Answer> => {
    const body =
      type === "application/json" ? json : type.includes("text") ? base64(frame(proto)) : frame(proto);
    return send(server.port, { path, headers: { "content-type": type }, body });
  };
  const expectStatus = (code: Code, fields: Record<string, string>, requestId: unknown) => {
    expect(fields["grpc-status"]).toBe(String(code));
    expect(decodeURIComponent(fields["grpc-message"]!)).toBe(text);
    const bin = fields["grpc-status-details-bin"]!;
    expect(bin).not.toContain("=");
    const status = fromBinary(StatusSchema, new Uint8Array(Buffer.from(bin, "base64")));
    expect([status.code, status.message]).toEqual([code, text]);
    expect(status.details).toMatchObject([
      { typeUrl: "type.googleapis.com/zitadel.v1.CredentialsCheckError", value: detailBytes },
    ]);
    expect(fields["x-request-id"]).toBe(requestId);
  };

  test.each(codes.map((code) => [code, codeToString(code)] as const))("%i, %s", async (code, name) => {
    const server = await failing(code);
    for (const [, send] of transports) {
      const connect = await call(server, send, "application/json");
      expect([connect.status, connect.headers["content-type"]]).toEqual([
        httpStatus[code],
        "application/json",
      ]);
      expect(JSON.parse(connect.body.toString())).toEqual({
        code: name,
        message: text,
        details: [
          {
            type: "zitadel.v1.CredentialsCheckError",
            value: base64(detailBytes).replace(/=+$/, ""),
            debug: detail,
          },
        ],
      });
      expect(connect.headers["x-request-id"]).toBe(server.logs.at(-1)!.requestId);
      expect(connect.headers).toMatchObject({ "x-robots-tag": "none" });
      expect(connect.headers["cache-control"]).toBeUndefined();

      const grpc = await call(server, send, "application/grpc");
      expect([grpc.status, grpc.body.length, grpc.headers["content-type"]]).toEqual([
        200,
        0,
        "application/grpc",
      ]);
      expectStatus(code, grpc.trailers, server.logs.at(-1)!.requestId);

      for (const type of ["application/grpc-web+proto", "application/grpc-web-text+proto"]) {
        const web = await call(server, send, type);
        expect([web.status, web.body.length, web.headers["content-type"]]).toEqual([200, 0, type]);
        expectStatus(code, web.headers, server.logs.at(-1)!.requestId);
      }

      const rest = await send(server.port, { method: "GET", path: "/v2/sessions/7" });
      expect([rest.status, rest.headers["content-type"]]).toEqual([httpStatus[code], "application/json"]);
      expect(JSON.parse(rest.body.toString())).toEqual({
        code,
        message: text,
        details: [{ "@type": "type.googleapis.com/zitadel.v1.CredentialsCheckError", ...detail }],
      });
      expect(rest.headers["x-request-id"]).toBe(server.logs.at(-1)!.requestId);
    }
    expect(server.logs.filter((line) => line.msg === "call").map((line) => line.code)).toEqual(
      Array(10).fill(name),
    );
  });

  test("and no text has no message member, without details no details member", async () => {
    const server = await startServer({
      session: {
        getSession() {
          throw new ConnectError("", Code.Aborted);
        },
      },
    });
    expect(JSON.parse((await call(server, overHttp1, "application/json")).body.toString())).toEqual({
      code: "aborted",
    });
    const rest = await overHttp1(server.port, { method: "GET", path: "/v2/sessions/7" });
    expect(JSON.parse(rest.body.toString())).toEqual({ code: Code.Aborted });
    expect(
      (await call(server, overHttp2, "application/grpc")).trailers["grpc-status-details-bin"],
    ).toBeUndefined();
  });

  test("matches the worked example byte for byte", async () => {
    const server = await startServer({
      session: {
        getSession() {
          throw new ConnectError("no such session (QUERY-SFeaa)", Code.NotFound, undefined, [
            { desc: ErrorDetailSchema, value: { id: "QUERY-SFeaa", message: "no such session" } },
          ]);
        },
      },
    });
    const web = await call(server, overHttp2, "application/grpc-web+proto");
    expect(web.headers["grpc-status-details-bin"]).toBe(
      "CAUSHW5vIHN1Y2ggc2Vzc2lvbiAoUVVFUlktU0ZlYWEpGkwKKnR5cGUuZ29vZ2xlYXBpcy5jb20veml0YWRlbC52MS5FcnJvckRldGFpbBIeCgtRVUVSWS1TRmVhYRIPbm8gc3VjaCBzZXNzaW9u",
    );
  });
});
