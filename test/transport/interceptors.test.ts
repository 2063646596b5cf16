import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import {
  CreateSessionRequestSchema,
  ListSessionsRequestSchema,
  SessionService,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../src/gen/zitadel/user/v2/user_service_pb.js";
import { overHttp1 } from "./clients.ts";
import { startServer, type TestServerOptions } from "./server.ts";

async function sessionClient(options: TestServerOptions = {}) {
  const session = {
    createSession: () => ({}),
    setSession: () => ({}),
    getSession: () => ({}),
    listSessions: () => ({}),
    ...options.session,
  };
  const server = await startServer({ ...options, session });
  return {
    server,
    client: createClient(SessionService, createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" })),
  };
}

const refusal = async (call: Promise<unknown>): Promise<ConnectError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw new Error("the call was accepted");
  return error;
};

describe("validation", () => {
  const between = "value length must be between 1 and 200 runes, inclusive";

  test.each<[string, string, object]>([
    ["getSession", `invalid GetSessionRequest.SessionId: ${between}`, {}],
    ["getSession", `invalid GetSessionRequest.SessionId: ${between}`, { sessionId: "x".repeat(201) }],
    [
      "getSession",
      "invalid GetSessionRequest.SessionToken: value length must be between 1 and 500 runes, inclusive",
      { sessionId: "1", sessionToken: "" },
    ],
    ["getSession", `invalid GetSessionRequest.SessionId: ${between}`, { sessionToken: "" }],
    ["setSession", `invalid SetSessionRequest.SessionId: ${between}`, { lifetime: { seconds: 0n } }],
    [
      "setSession",
      "invalid SetSessionRequest.Lifetime: value must be greater than 0s",
      { sessionId: "1", lifetime: { seconds: 0n } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Lifetime: value must be greater than 0s",
      { lifetime: { seconds: -1n } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Checks: embedded message failed validation | caused by: invalid Checks.User: embedded message failed validation | caused by: invalid CheckUser.Search: value is required",
      { checks: { user: {} } },
    ],
    [
      "createSession",
      `invalid CreateSessionRequest.Checks: embedded message failed validation | caused by: invalid Checks.User: embedded message failed validation | caused by: invalid CheckUser.UserId: ${between}`,
      {
        checks: { user: { search: { case: "userId", value: "" } }, password: { password: "" } },
        lifetime: {},
      },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Checks: embedded message failed validation | caused by: invalid Checks.Totp: embedded message failed validation | caused by: invalid CheckTOTP.Code: value length must be 6 runes",
      { checks: { totp: { code: "12345" } } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Checks: embedded message failed validation | caused by: invalid Checks.OtpSms: embedded message failed validation | caused by: invalid CheckOTP.Code: value length must be at least 1 runes",
      { checks: { otpSms: {} } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Checks: embedded message failed validation | caused by: invalid Checks.WebAuthN: embedded message failed validation | caused by: invalid CheckWebAuthN.CredentialAssertionData: value is required",
      { checks: { webAuthN: {} } },
    ],
    [
      "createSession",
      `invalid CreateSessionRequest.Challenges: embedded message failed validation | caused by: invalid RequestChallenges.WebAuthN: embedded message failed validation | caused by: invalid RequestChallenges_WebAuthN.Domain: ${between}`,
      { challenges: { webAuthN: {} } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Challenges: embedded message failed validation | caused by: invalid RequestChallenges.WebAuthN: embedded message failed validation | caused by: invalid RequestChallenges_WebAuthN.UserVerificationRequirement: value must not be in list [0]",
      { challenges: { webAuthN: { domain: "localhost" } } },
    ],
    [
      "createSession",
      "invalid CreateSessionRequest.Challenges: embedded message failed validation | caused by: invalid RequestChallenges.WebAuthN: embedded message failed validation | caused by: invalid RequestChallenges_WebAuthN.UserVerificationRequirement: value must be one of the defined enum values",
      { challenges: { webAuthN: { domain: "localhost", userVerificationRequirement: 9 } } },
    ],
    [
      "listSessions",
      "invalid ListSessionsRequest.Queries[1]: embedded message failed validation | caused by: invalid SearchQuery.Query: value is required",
      { queries: [{ query: { case: "userIdQuery", value: { id: "1" } } }, {}] },
    ],
  ])("%s: %s", async (method, text, request) => {
    const { client } = await sessionClient();
    const error = await refusal(client[method as "getSession"](request));
    expect([error.code, error.rawMessage, error.details]).toEqual([Code.InvalidArgument, text, []]);
  });

  test("the first field in declaration order speaks, also before a missing choice", async () => {
    const { server } = await sessionClient({ routes: (router) => router.service(UserService, {}) });
    const { body } = await overHttp1(server.port, {
      path: "/zitadel.user.v2.UserService/CreateUser",
      headers: { "content-type": "application/json" },
      body: '{"organizationId":"1","username":""}',
    });
    expect(JSON.parse(body.toString())).toEqual({
      code: "invalid_argument",
      message: `invalid CreateUserRequest.Username: ${between}`,
    });
  });

  test("lengths count code points, and valid messages pass", async () => {
    const { client } = await sessionClient();
    await client.getSession({ sessionId: "😀".repeat(200) });
    await refusal(client.getSession({ sessionId: "😀".repeat(201) }));
    await client.createSession(create(CreateSessionRequestSchema));
    await client.listSessions(create(ListSessionsRequestSchema));
  });
});

describe("the access log", () => {
  test("has one line per call with method, protocol, code, duration and the id the caller got", async () => {
    const { server } = await sessionClient();
    const answer = await overHttp1(server.port, {
      path: "/zitadel.session.v2.SessionService/GetSession",
      headers: { "content-type": "application/json", authorization: "Bearer secret", "x-request-id": "mine" },
      body: '{"sessionId":"1","sessionToken":"secret"}',
    });
    const [line, ...more] = server.logs;
    expect(more).toEqual([]);
    expect(line).toMatchObject({
      level: 30,
      method: "zitadel.session.v2.SessionService/GetSession",
      protocol: "connect",
      code: "ok",
      requestId: answer.headers["x-request-id"],
    });
    expect(line!.durationMs).toBeGreaterThan(0);
    expect(line!.requestId).not.toBe("mine");
    expect(JSON.stringify(line)).not.toContain("secret");
  });

  test("never gives two calls the same id", async () => {
    const { server, client } = await sessionClient();
    await Promise.all(Array.from({ length: 20 }, () => client.listSessions({})));
    expect(new Set(server.logs.map((line) => line.requestId)).size).toBe(20);
  });
});

describe("error mapping", () => {
  test("an error of the implementation's own making passes as it is", async () => {
    const { client, server } = await sessionClient({
      session: {
        getSession() {
          throw new ConnectError("no", Code.Aborted, { "x-more": "1" });
        },
      },
    });
    const error = await refusal(client.getSession({ sessionId: "1" }));
    expect([error.code, error.rawMessage, error.metadata.get("x-more")]).toEqual([Code.Aborted, "no", "1"]);
    expect(server.logs.map((line) => line.level)).toEqual([30]);
  });

  test("what nobody foresaw is logged with its stack and the id the caller got", async () => {
    for (const thrown of [
      new TypeError("secret"),
      "secret",
      new ConnectError("outside", Code.Internal, undefined, undefined, new Error("secret")),
    ]) {
      const { client, server } = await sessionClient({
        session: {
          getSession() {
            throw thrown;
          },
        },
      });
      const error = await refusal(client.getSession({ sessionId: "1" }));
      expect(error.code).toBe(Code.Internal);
      expect(error.rawMessage).not.toContain("secret");
      const line = server.logs.find((entry) => entry.level === 50);
      expect(JSON.stringify(line)).toContain("secret");
      expect(line!.requestId).toBe(error.metadata.get("x-request-id"));
    }
  });
});
