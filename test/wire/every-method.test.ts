import { readdirSync } from "node:fs";
import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  getOption,
  hasOption,
  type JsonObject,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { permission } from "../../src/gen/gatehouse/options_pb.js";
import { http } from "../../src/gen/google/api/annotations_pb.js";
import type { HttpRule } from "../../src/gen/google/api/http_pb.js";
import { UserService } from "../../src/gen/zitadel/user/v2/user_service_pb.js";
import { restRequest } from "../support/any-method.ts";
import { engines } from "../support/databases.ts";
import { plausibleRequest } from "../support/plausible-request.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

/** Every method of every service there is a contract of; one that is added tomorrow is among them. */
const methods: DescMethod[] = [];
const generated = new URL("../../src/gen/", import.meta.url);
for (const path of readdirSync(generated, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith("_pb.js")) continue;
  const exported: Record<string, { kind?: string }> = await import(new URL(path, generated).href);
  for (const found of Object.values(exported)) {
    if (found.kind === "service") methods.push(...(found as DescService).methods);
  }
}

const named = methods.map((method) => [`${method.parent.typeName}/${method.name}`, method] as const);

/** What the table of users and their factors names. */
const usersAndFactors = `
  CreateUser AddHumanUser GetUserByID ListUsers UpdateUser UpdateHumanUser DeleteUser DeactivateUser ReactivateUser
  LockUser UnlockUser SetEmail ResendEmailCode SendEmailCode VerifyEmail SetPhone RemovePhone ResendPhoneCode VerifyPhone
  PasswordReset SetPassword RegisterPasskey VerifyPasskeyRegistration CreatePasskeyRegistrationLink ListPasskeys
  RemovePasskey RegisterU2F VerifyU2FRegistration RemoveU2F RegisterTOTP VerifyTOTPRegistration RemoveTOTP AddOTPSMS
  RemoveOTPSMS AddOTPEmail RemoveOTPEmail GenerateRecoveryCodes RemoveRecoveryCodes StartIdentityProviderIntent
  RetrieveIdentityProviderIntent AddIDPLink ListIDPLinks RemoveIDPLink AddPersonalAccessToken
  RemovePersonalAccessToken ListPersonalAccessTokens AddKey RemoveKey ListKeys AddSecret RemoveSecret
  ListAuthenticationMethodTypes ListAuthenticationFactors`
  .trim()
  .split(/\s+/);

/** What came back, in few words: what no implementation says is UNIMPLEMENTED on every protocol. */
type Outcome = "OK" | keyof typeof Code;

/** Asks once. `authorization`: the whole header, undefined for none. */
type Send = (message: Message, authorization: string | undefined) => Promise<Outcome>;

/** Every way to a method: the three protocols, and its REST routes. */
function waysTo(method: DescMethod, url: string, transports: Record<string, Transport>): [string, Send][] {
  const { additionalBindings = [], ...rule } = hasOption(method, http) ? getOption(method, http) : {};
  const rules = "pattern" in rule ? [rule as HttpRule, ...additionalBindings] : [];
  return [
    ...Object.entries(transports).map(([name, transport]): [string, Send] => [
      name,
      overTransport(transport, method),
    ]),
    ...rules.map((each): [string, Send] => ["REST", overRest(url, method, each)]),
  ];
}

const headersOf = (authorization: string | undefined): Record<string, string> =>
  authorization === undefined ? {} : { authorization };

function overTransport(transport: Transport, method: DescMethod): Send {
  return async (message, authorization) => {
    const call = new AbortController();
    const options = [call.signal, undefined, headersOf(authorization)] as const;
    try {
      if (method.methodKind === "unary") {
        await transport.unary(method as DescMethodUnary, ...options, message);
        return "OK";
      }
      const messages = (async function* () {
        yield message;
      })();
      const answer = await transport.stream(method as DescMethodStreaming, ...options, messages);
      // The first is enough: some streams have no end.
      await answer.message[Symbol.asyncIterator]().next();
      return "OK";
    } catch (error) {
      return Code[ConnectError.from(error).code] as Outcome;
    } finally {
      call.abort();
    }
  };
}

function overRest(url: string, method: DescMethod, rule: HttpRule): Send {
  return async (message, authorization) => {
    const json = toJson(method.input, message) as JsonObject;
    const answer = await restRequest(url, headersOf(authorization), method, rule, json);
    const { code, details } = (await answer.json()) as { code: Code; details?: unknown[] };
    if (answer.ok) return "OK";
    // Not found without a word on what: there is no such route.
    return answer.status === 404 && !details?.length ? "Unimplemented" : (Code[code] as Outcome);
  };
}

/** What nobody may be told, whatever was asked. */
const noAnswers: readonly Outcome[] = ["Unimplemented", "Internal", "Unknown", "Unavailable", "DataLoss"];

describe.each(engines)("every method on %s", (engine) => {
  let server: TestServer;
  let transports: Record<string, Transport>;
  let authorization: string;
  beforeAll(async () => {
    server = await startTestServer(engine);
    const { url: baseUrl } = server;
    authorization = `Bearer ${server.adminToken}`;
    transports = {
      Connect: createConnectTransport({ baseUrl, httpVersion: "2" }),
      gRPC: createGrpcTransport({ baseUrl }),
      "gRPC-Web": createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    };
  });
  afterAll(() => server.close());

  const outcomes = (method: DescMethod, message: Message, credential: string | undefined) =>
    Promise.all(
      waysTo(method, server.url, transports).map(
        async ([way, send]): Promise<[string, Outcome]> => [way, await send(message, credential)],
      ),
    );

  test.each(named)("%s answers an administrator on every protocol", async (_, method) => {
    // Enough, so that the implementation is reached; and nothing at all, which must not confuse it.
    for (const message of [plausibleRequest(method.input), create(method.input)]) {
      const answers = await outcomes(method, message, authorization);
      expect(answers.length).toBeGreaterThanOrEqual(3);
      expect(answers.filter(([, outcome]) => noAnswers.includes(outcome))).toEqual([]);
      expect(answers.filter(([, outcome]) => outcome === "Unauthenticated")).toEqual([]);
    }
  });

  test.each(named)("%s asks whoever needs one for a credential", async (_, method) => {
    const needed = getOption(method, permission) !== "";
    for (const [way, outcome] of await outcomes(method, plausibleRequest(method.input), undefined)) {
      expect([way, outcome === "Unauthenticated"]).toEqual([way, needed]);
    }
  });
});

test("only who asks whether the server lives, and what it can, needs no credential", () => {
  const open = methods.filter((method) => getOption(method, permission) === "");
  expect(new Set(open.map((method) => method.parent.typeName))).toEqual(
    new Set([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]),
  );
});

test("everything users and their factors need is there", () => {
  const there = UserService.methods.map(({ name }) => name);
  expect(there).toEqual(expect.arrayContaining(usersAndFactors));
  expect(usersAndFactors).toHaveLength(53);
  expect(methods.length).toBeGreaterThan(130);
});
