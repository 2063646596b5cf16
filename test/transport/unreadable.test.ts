import { fromJsonString } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { CreateSessionRequestSchema } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { withoutValue } from "../../src/transport/unreadable.ts";
import { frame, overHttp2 } from "./clients.ts";
import { startServer } from "./server.ts";

const PASSWORD = 'Correct-"Horse", got 7';
const LONG = `${PASSWORD} ${"and on ".repeat(300)}`;

/** JSON that is no request, with a password where it does not belong, and what may be said about it. */
const bodies: [string, string, string][] = [
  [
    "in place of a message",
    JSON.stringify({ checks: { password: PASSWORD } }),
    "cannot decode message zitadel.session.v2.CheckPassword from JSON",
  ],
  [
    "in place of a boolean",
    JSON.stringify({ challenges: { otpSms: { returnCode: PASSWORD } } }),
    "cannot decode field zitadel.session.v2.RequestChallenges.OTPSMS.return_code from JSON: expected boolean",
  ],
  [
    "in place of bytes",
    JSON.stringify({ metadata: { [PASSWORD]: "!" } }),
    "cannot decode field zitadel.session.v2.CreateSessionRequest.metadata from JSON",
  ],
  [
    "in place of a map",
    JSON.stringify({ metadata: PASSWORD }),
    "cannot decode field zitadel.session.v2.CreateSessionRequest.metadata from JSON: expected object",
  ],
  [
    "twice as a name",
    `{${JSON.stringify(LONG)}: 1, ${JSON.stringify(LONG)}: 2}`,
    "cannot decode message zitadel.session.v2.CreateSessionRequest from JSON",
  ],
  [
    "and cut off",
    JSON.stringify({ checks: { password: { password: PASSWORD } } }).slice(0, -5),
    "cannot decode message zitadel.session.v2.CreateSessionRequest from JSON",
  ],
];

describe.each(bodies)("a password %s", (_, body, said) => {
  const expectUnrepeated = (text: string) => {
    expect(text).not.toContain("Correct");
    expect(text).not.toContain("Horse");
    expect(text).toContain(said);
  };

  test("is repeated by the decoder, and not by what is made of its words", () => {
    let words = "";
    try {
      fromJsonString(CreateSessionRequestSchema, body);
    } catch (error) {
      words = (error as Error).message;
    }
    expect(words).toMatch(/Correct|Horse|"!"|JSON at|base64/);
    expect(withoutValue(words)).toBe(said);
  });

  test.each([
    ["application/json", (text: string) => text],
    ["application/grpc+json", (text: string) => frame(Buffer.from(text))],
    ["application/grpc-web+json", (text: string) => frame(Buffer.from(text))],
  ])("is not repeated over %s", async (type, encode) => {
    const { port, logs } = await startServer();
    for (const accepted of ["identity", "gzip"]) {
      const answer = await overHttp2(port, {
        path: "/zitadel.session.v2.SessionService/CreateSession",
        headers: { "content-type": type, "accept-encoding": accepted, te: "trailers" },
        body: encode(body),
      });
      expect(answer.headers["content-encoding"]).toBeUndefined();
      const { message } = type === "application/json" ? JSON.parse(answer.body.toString()) : {};
      const status = { ...answer.headers, ...answer.trailers };
      expectUnrepeated(message ?? decodeURIComponent(status["grpc-message"]!));
      if (message === undefined) expect(status["grpc-status"]).toBe("3");
      else expect(answer.status).toBe(400);
    }
    expect(JSON.stringify(logs)).not.toMatch(/Correct|Horse/);
  });

  test("is not repeated over REST", async () => {
    const { port } = await startServer();
    const headers = { "content-type": "application/json" };
    const answer = await overHttp2(port, { path: "/v2/sessions", headers, body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.toString()).not.toMatch(/Correct|Horse/);
  });
});

test.each([
  "invalid GetSessionRequest.SessionId: value length must be between 1 and 200 runes, inclusive",
  "the request body is larger than 1048576 bytes",
  "session does not exist (QUERY-SFeaa)",
])("other words pass unchanged: %s", (text) => {
  expect(withoutValue(text)).toBe(text);
});
