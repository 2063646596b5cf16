import * as http from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import {
  GetSessionRequestSchema,
  GetSessionResponseSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { decodeText } from "../../src/transport/grpc-web-text.ts";
import { healthService, Serving } from "../../src/transport/health-service.ts";
import { frame, frames, overHttp1, overHttp2 } from "./clients.ts";
import { maxBodyBytes, startServer, type TestServer } from "./server.ts";

const path = "/zitadel.session.v2.SessionService/GetSession";
const headers = { "content-type": "application/grpc-web-text" };
const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const message = frame(toBinary(GetSessionRequestSchema, create(GetSessionRequestSchema, { sessionId: "7" })));

/** The bytes of concatenated pieces, as a browser client puts them together. */
const decode = (text: Buffer) => Buffer.from(decodeText(text));

let server: TestServer;
let serving: Serving;
beforeEach(async () => {
  serving = new Serving();
  server = await startServer({
    session: { getSession: ({ sessionId }) => ({ session: { id: sessionId } }) },
    routes: (router, services) => healthService(router, serving, services),
  });
});

describe("decoding", () => {
  test("gives back what was encoded, however it was cut into pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (pieces) => {
        const text = Buffer.from(pieces.map(encode).join(""));
        expect(Buffer.from(decodeText(text))).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  test.each([
    "A",
    "AA",
    "AAA",
    "AAAAA",
    "A===",
    "====",
    "AA=A",
    "AA==A",
    "AAA=AA",
    "AA AA",
    "AAA\n",
    "AA-_",
    "ÄÄÄÄ",
  ])("refuses %j", (text) => {
    expect(() => decodeText(Buffer.from(text))).toThrow(ConnectError);
  });
});

test("a message in several padded pieces is one message, and the answer is one piece", async () => {
  for (const cut of [1, 5, 6]) {
    const body = encode(message.subarray(0, cut)) + encode(message.subarray(cut));
    const answer = await overHttp1(server.port, { path, headers, body });
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/grpc-web-text+proto"]);
    expect(answer.body.toString()).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    const [data, trailer] = frames(Buffer.from(answer.body.toString(), "base64"));
    expect(fromBinary(GetSessionResponseSchema, data!.data).session!.id).toBe("7");
    expect([trailer!.flags, trailer!.data.toString()]).toEqual([0x80, "grpc-status: 0\r\n"]);
  }
});

test("a body that is no base64 is INVALID_ARGUMENT in the headers, and the server goes on", async () => {
  for (const body of ["!!!!", "AAA", `${encode(message)}A`, "AAAA=AAA"]) {
    const answer = await overHttp1(server.port, { path, headers, body });
    expect([answer.status, answer.body.length, answer.headers["grpc-status"]]).toEqual([
      200,
      0,
      String(Code.InvalidArgument),
    ]);
    expect(answer.headers["content-type"]).toBe("application/grpc-web-text+proto");
  }
  expect(
    (await overHttp1(server.port, { path, headers, body: encode(message) })).headers["grpc-status"],
  ).toBeUndefined();
});

test("the limit counts bytes, not their base64 form", async () => {
  // Field 1000 is unknown to the message and may be long.
  const padded = (bytes: number) => {
    const rest = bytes - 6;
    const length = [rest & 0x7f, (rest >> 7) & 0x7f, (rest >> 14) & 0x7f].map((part) => part | 0x80);
    return Buffer.concat([Buffer.from([0xc2, 0x3e, ...length, rest >> 21]), Buffer.alloc(rest)]);
  };
  const status = async (bytes: number) => {
    const body = encode(frame(padded(bytes)));
    const answer = await overHttp2(server.port, { path, headers, body });
    return answer.headers["grpc-status"];
  };
  // Read, but without a session id.
  expect(await status(maxBodyBytes)).toBe(String(Code.InvalidArgument));
  expect(await status(maxBodyBytes + 1)).toBe(String(Code.ResourceExhausted));
  expect(await status(2 * maxBodyBytes)).toBe(String(Code.ResourceExhausted));
});

test("a stream arrives piece by piece, each readable when it comes", async () => {
  const body = encode(frame(new Uint8Array()));
  const pieces: Buffer[] = await new Promise((resolve, reject) => {
    const request = http.request({
      port: server.port,
      path: `/${Health.typeName}/Watch`,
      method: "POST",
      headers,
    });
    request.on("error", reject).on("response", (response) => {
      const heard: Buffer[] = [];
      response.on("data", (piece) => {
        heard.push(decode(piece));
        serving.stop();
      });
      response.on("end", () => resolve(heard));
    });
    request.end(body);
  });
  expect(pieces.length).toBeGreaterThan(1);
  expect(frames(Buffer.concat(pieces)).map(({ flags }) => flags)).toEqual([0, 0, 0x80]);
});

test("a stream that ends well without a message says so in a frame, not in the headers", async () => {
  server = await startServer({
    routes: (router) => router.service(Health, { watch: async function* () {} }),
  });
  const call = { path: `/${Health.typeName}/Watch`, body: encode(frame(new Uint8Array())) };
  const answer = await overHttp1(server.port, { ...call, headers });
  expect(answer.headers["grpc-status"]).toBeUndefined();
  expect(frames(decode(answer.body))).toMatchObject([{ flags: 0x80 }]);
});
