import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { SessionService as SessionServiceV2Beta } from "@zitadel/proto/zitadel/session/v2beta/session_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type BufProtocol,
  bufCurl,
  curl,
  currentVersion,
  type Endpoint,
  grpcJsMessage,
  type Reply,
  type ServiceVersion,
  type SessionMethod,
  type WireClient,
  wireClients,
} from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import { type Cast, type House, PASSWORD, startHouse, WRONG_PASSWORD } from "../support/fixtures.ts";

const UNKNOWN_ID = "no-such-session";
const NEVER_ISSUED = `gatehouse_st_${"A".repeat(86)}`;
const TOO_LONG = "x".repeat(201);

type Context = {
  cast: Cast;
  /** A session of the login client's; made for this row, if the row changes it. */
  session: { id: string; token: string };
};

type Expected = { code: number; message: string; details?: JsonObject[] } | { response: JsonObject };

type Row = {
  rpc: SessionMethod;
  outcome: string;
  /** The authorization header; undefined: none. */
  authorization: (cast: Cast) => string | undefined;
  request: (context: Context) => JsonObject;
  expected: (context: Context) => Expected;
  /** Done before, so that the row can say an exact number. */
  before?: (context: Context, create: (request: JsonObject) => Promise<Reply>) => Promise<unknown>;
};

const by =
  (who: "loginClient" | "owner" | "nobody") =>
  (cast: Cast): string =>
    `Bearer ${cast[who].token}`;

const refusal = (
  code: number,
  text: string,
  id: string,
  type = "zitadel.v1.ErrorDetail",
  more: JsonObject = {},
): Expected => ({
  code,
  message: `${text} (${id})`,
  details: [{ "@type": `type.googleapis.com/${type}`, id, message: text, ...more }],
});

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/) as unknown as string;
const token = expect.stringMatching(/^gatehouse_st_[\w-]{86}$/) as unknown as string;
const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown as string;

const details = ({ cast }: Context, sequence: string): JsonObject => ({
  sequence,
  changeDate: time,
  creationDate: time,
  resourceOwner: cast.instanceId,
});

const lengthRule = "value length must be between 1 and 200 runes, inclusive";

/** What a request of each method looks like when nothing is wrong with it, and what answers it. */
const good: Record<
  SessionMethod,
  { request: (context: Context) => JsonObject; response: (context: Context) => JsonObject }
> = {
  CreateSession: {
    request: () => ({}),
    response: (context) => ({ details: details(context, "2"), sessionId: uuid, sessionToken: token }),
  },
  GetSession: {
    request: ({ session }) => ({ sessionId: session.id }),
    response: ({ session }) => ({
      session: { id: session.id, creationDate: time, changeDate: time, sequence: "2" },
    }),
  },
  ListSessions: {
    request: ({ session }) => ({ queries: [{ idsQuery: { ids: [session.id] } }] }),
    response: ({ session }) => ({
      details: { totalResult: "1", timestamp: time },
      sessions: [{ id: session.id, creationDate: time, changeDate: time, sequence: "2" }],
    }),
  },
  SetSession: {
    request: ({ session }) => ({ sessionId: session.id, metadata: { key: "dmFsdWU=" } }),
    response: (context) => ({ details: details(context, "4"), sessionToken: token }),
  },
  DeleteSession: {
    request: ({ session }) => ({ sessionId: session.id }),
    response: (context) => ({ details: details(context, "3") }),
  },
};

/** What is wrong with each method's message, and what the caller is told of it. */
const invalid: Record<SessionMethod, { request: JsonObject; message: string }> = {
  CreateSession: {
    request: { lifetime: "-300s" },
    message: "invalid CreateSessionRequest.Lifetime: value must be greater than 0s",
  },
  GetSession: {
    request: { sessionId: TOO_LONG },
    message: `invalid GetSessionRequest.SessionId: ${lengthRule}`,
  },
  ListSessions: {
    request: { queries: [{ creationDateQuery: { method: 99 } }] },
    message:
      "invalid ListSessionsRequest.Queries[0]: embedded message failed validation | caused by: " +
      "invalid SearchQuery.CreationDateQuery: embedded message failed validation | caused by: " +
      "invalid CreationDateQuery.Method: value must be one of the defined enum values",
  },
  SetSession: {
    request: { sessionId: TOO_LONG },
    message: `invalid SetSessionRequest.SessionId: ${lengthRule}`,
  },
  DeleteSession: {
    request: { sessionId: TOO_LONG },
    message: `invalid DeleteSessionRequest.SessionId: ${lengthRule}`,
  },
};

const noPermission = refusal(7, "No matching permissions found", "AUTH-AWfge");
const unknownSession = refusal(5, "session does not exist", "QUERY-SFeaa");
const emptyList: Expected = { response: { details: { timestamp: time } } };

const methods = Object.keys(good) as SessionMethod[];

const table: Row[] = [
  ...methods.flatMap((rpc): Row[] => [
    {
      rpc,
      outcome: "is done",
      authorization: by("loginClient"),
      request: good[rpc].request,
      expected: (context) => ({ response: good[rpc].response(context) }),
    },
    {
      rpc,
      outcome: "names the field that is invalid",
      authorization: by("loginClient"),
      request: () => invalid[rpc].request,
      expected: () => ({ code: 3, message: invalid[rpc].message }),
    },
    {
      rpc,
      outcome: "X-015: asks for a credential before it looks at the message",
      authorization: () => undefined,
      request: () => invalid[rpc].request,
      expected: () => ({ code: 16, message: "auth header missing" }),
    },
    {
      rpc,
      outcome: "refuses a header that is no bearer credential",
      authorization: () => "bearer lower-case",
      request: good[rpc].request,
      expected: () => refusal(16, "invalid auth header", "AUTH-toLo1"),
    },
    {
      rpc,
      outcome: "refuses a token nobody has",
      authorization: () => "Bearer nobodys",
      request: good[rpc].request,
      expected: () => refusal(16, "Errors.Token.Invalid", "AUTH-7fs1e"),
    },
    {
      rpc,
      outcome: "without permission",
      authorization: by("nobody"),
      request: good[rpc].request,
      expected: () => (rpc === "ListSessions" ? emptyList : noPermission),
    },
  ]),
  ...(["GetSession", "SetSession", "DeleteSession"] as const).map(
    (rpc): Row => ({
      rpc,
      outcome: "knows no such session",
      authorization: by("owner"),
      request: () => ({ sessionId: UNKNOWN_ID }),
      expected: () => unknownSession,
    }),
  ),
  {
    rpc: "ListSessions",
    outcome: "knows no such session",
    authorization: by("owner"),
    request: () => ({ queries: [{ idsQuery: { ids: [UNKNOWN_ID] } }] }),
    expected: () => emptyList,
  },
  {
    rpc: "CreateSession",
    outcome: "knows no such user",
    authorization: by("loginClient"),
    request: () => ({ checks: { user: { userId: "no-such-user" } } }),
    expected: () => refusal(5, "user could not be found", "QUERY-Dfbg2"),
  },
  {
    rpc: "CreateSession",
    outcome: "tells of a wrong password how many there were",
    authorization: by("loginClient"),
    before: ({ cast: { zoe } }, create) =>
      create({ checks: { user: { userId: zoe.id }, password: { password: PASSWORD } } }),
    request: ({ cast: { zoe } }) => ({
      checks: { user: { loginName: zoe.loginName }, password: { password: WRONG_PASSWORD } },
    }),
    expected: () =>
      refusal(3, "password is invalid", "COMMAND-3M0fs", "zitadel.v1.CredentialsCheckError", {
        failedAttempts: 1,
      }),
  },
  {
    rpc: "GetSession",
    outcome: "refuses a wrong token",
    authorization: by("owner"),
    request: ({ session }) => ({ sessionId: session.id, sessionToken: NEVER_ISSUED }),
    expected: () => refusal(7, "permission denied", "QUERY-dsfr3"),
  },
  {
    rpc: "DeleteSession",
    outcome: "refuses a wrong token",
    authorization: by("owner"),
    request: ({ session }) => ({ sessionId: session.id, sessionToken: NEVER_ISSUED }),
    expected: () => refusal(7, "session token is invalid", "COMMAND-sGr42"),
  },
  {
    rpc: "SetSession",
    outcome: "ignores a wrong token",
    authorization: by("loginClient"),
    request: ({ session }) => ({ sessionId: session.id, sessionToken: NEVER_ISSUED, lifetime: "60s" }),
    expected: (context) => ({ response: { details: details(context, "4"), sessionToken: token } }),
  },
];

/** HTTP status of a gRPC code on Connect and REST. */
const httpStatuses: Record<number, number> = { 3: 400, 5: 404, 7: 403, 16: 401 };

type MadeSession = Context["session"];

async function newSession(client: WireClient, endpoint: Endpoint): Promise<MadeSession> {
  const { response } = await client.send(endpoint, "CreateSession", {});
  return { id: response!.sessionId as string, token: response!.sessionToken as string };
}

/** One session for all calls that change none. */
const untouchedSessions = new Map<string, Promise<MadeSession>>();
function untouched(client: WireClient, endpoint: Endpoint): Promise<MadeSession> {
  const made = untouchedSessions.get(endpoint.url) ?? newSession(client, endpoint);
  untouchedSessions.set(endpoint.url, made);
  return made;
}

async function expectRow(
  row: Row,
  client: WireClient,
  setUp: WireClient,
  house: House,
  rest: boolean,
): Promise<Reply> {
  const { cast, url } = house;
  const asLoginClient: Endpoint = { url, authorization: by("loginClient")(cast) };
  const changes = row.outcome === "is done" || row.outcome === "ignores a wrong token";
  const context: Context = {
    cast,
    session: changes ? await newSession(setUp, asLoginClient) : await untouched(setUp, asLoginClient),
  };
  await row.before?.(context, (request) => setUp.send(asLoginClient, "CreateSession", request));
  const reply = await client.send(
    { url, authorization: row.authorization(cast) },
    row.rpc,
    row.request(context),
  );
  const expected = row.expected(context);
  if ("response" in expected) {
    expect(reply).toMatchObject({ code: 0, details: [] });
    expect(reply.response).toEqual(expected.response);
    if (reply.httpStatus !== undefined)
      expect(reply.httpStatus).toBe(rest && row.rpc === "CreateSession" ? 201 : 200);
  } else {
    expect(reply).toMatchObject({
      code: expected.code,
      message: expected.message,
      response: undefined,
    });
    expect(reply.details).toEqual(expected.details ?? ([] as JsonValue[]));
    if (reply.httpStatus !== undefined)
      expect(reply.httpStatus).toBe(client.name.startsWith("gRPC-Web") ? 200 : httpStatuses[expected.code]);
  }
  return reply;
}

/** Over gRPC it may come twice, as header and as trailer, and clients join the two. */
function requestIdOf({ headers }: Reply): string {
  const ids = new Set(headers["x-request-id"]?.split(", "));
  expect(ids.size).toBe(1);
  return [...ids][0]!;
}

function expectHeaders(reply: Reply, rest: boolean): void {
  expect(requestIdOf(reply)).toMatch(/^[0-9a-f-]{36}$/);
  if (reply.code === 0) {
    expect(reply.headers).toMatchObject({ "cache-control": "no-store", pragma: "no-cache" });
    expect(Date.parse(reply.headers.expires!)).toBeLessThanOrEqual(Date.now() + 1_000);
  }
  if (rest && reply.code === 16) expect(reply.headers["www-authenticate"]).toBe(reply.message);
}

const older: ServiceVersion = { service: SessionServiceV2Beta, rest: "/v2beta/sessions" };

describe.each(engines)("the session service on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse(engine);
  });
  afterAll(() => house.close());

  const setUp = wireClients(currentVersion).find(({ name }) => name === "Connect binary")!;

  describe.each(wireClients(currentVersion).map((client) => [client.name, client] as const))(
    "to %s",
    (name, client) => {
      const rest = name === "REST";
      test.each(table.map((row) => [row.rpc, row.outcome, row] as const))("%s %s", async (_, __, row) => {
        expectHeaders(await expectRow(row, client, setUp, house, rest), rest);
      });
    },
  );

  // The same implementation behind another name: three clients show that nothing got lost on the way.
  describe.each(
    wireClients(older)
      .filter(({ name }) => /^@zitadel|REST/.test(name))
      .map((client) => [client.name, client] as const),
  )("in its older version, to %s", (name, client) => {
    const rest = name === "REST";
    test.each(table.map((row) => [row.rpc, row.outcome, row] as const))("%s %s", async (_, __, row) => {
      expectHeaders(await expectRow(row, client, setUp, house, rest), rest);
    });
  });

  describe("X-023: the same call over every protocol", () => {
    const clients = wireClients(currentVersion);

    test("reads the same session, field by field", async () => {
      const { cast, url } = house;
      const endpoint = { url, authorization: `Bearer ${cast.loginClient.token}` };
      const { response } = await setUp.send(endpoint, "CreateSession", {
        checks: { user: { userId: cast.mia.id }, password: { password: PASSWORD } },
        metadata: { key: "dmFsdWU=", unicode: "8J+PsA==" },
        lifetime: "3600.5s",
        userAgent: {
          fingerprintId: "agent",
          ip: "1.2.3.4",
          description: "Browser",
          header: { accept: { values: ["a", "b"] } },
        },
      });
      const sessionId = response!.sessionId as string;
      const replies = await Promise.all(
        clients.map((client) => client.send(endpoint, "GetSession", { sessionId })),
      );
      expect(replies[0]!.response).toMatchObject({
        session: {
          id: sessionId,
          sequence: "6",
          metadata: { key: "dmFsdWU=", unicode: "8J+PsA==" },
          factors: { user: { id: cast.mia.id }, password: {} },
        },
      });
      for (const reply of replies) expect(reply.response).toEqual(replies[0]!.response);
    });

    test("is refused with the same code, text and detail, whatever characters are in the text", async () => {
      const endpoint = { url: house.url, authorization: `Bearer ${house.cast.loginClient.token}` };
      const replies = await Promise.all(
        clients.map((client) =>
          client.send(endpoint, "CreateSession", { metadata: { ["🏰".repeat(201)]: "YQ==" } }),
        ),
      );
      expect(replies[0]!.code).toBe(3);
      expect(replies[0]!.message).toContain("🏰");
      for (const { code, message, details } of replies)
        expect({ code, message, details }).toEqual({ code: 3, message: replies[0]!.message, details: [] });
    });

    test("names the request once, whether it succeeds or is refused", async () => {
      const endpoint = { url: house.url, authorization: `Bearer ${house.cast.loginClient.token}` };
      for (const client of clients) {
        for (const sessionId of [UNKNOWN_ID, TOO_LONG]) {
          const { headers } = await client.send(endpoint, "GetSession", { sessionId });
          expect(headers["x-request-id"], client.name).toMatch(/^[0-9a-f-]{36}$/);
        }
      }
    });

    // Its gRPC client decodes less than it may be sent: only what the protocol asks to be encoded arrives as written
    // (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Percent-Byte-Unencoded").
    test("shows grpc-js a text with colons and commas as it was written", async () => {
      const endpoint = { url: house.url, authorization: `Bearer ${house.cast.loginClient.token}` };
      const message = await grpcJsMessage(endpoint, "GetSession", { sessionId: TOO_LONG });
      expect(message).toBe(invalid.GetSession.message);
    });

    test("gives every answer a request id of its own", async () => {
      const endpoint = { url: house.url, authorization: `Bearer ${house.cast.loginClient.token}` };
      const replies = await Promise.all(
        clients.flatMap((client) => [
          client.send(endpoint, "ListSessions", {}),
          client.send(endpoint, "GetSession", { sessionId: UNKNOWN_ID }),
        ]),
      );
      expect(new Set(replies.map(requestIdOf)).size).toBe(2 * clients.length);
    });
  });
});

describe("programs we did not write", () => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse("pglite");
  });
  afterAll(() => house.close());

  const setUp = wireClients(currentVersion).find(({ name }) => name === "Connect binary")!;
  const walk = table.filter(
    ({ outcome, rpc }) =>
      outcome === "is done" ||
      outcome === "refuses a wrong token" ||
      (rpc === "CreateSession" && /invalid|credential|wrong password/.test(outcome)),
  );

  // Every run of buf is a process of its own: the whole walk once, then what differs between protocols.
  const short = walk.filter(
    ({ rpc, outcome }) =>
      (rpc === "GetSession" && outcome === "is done") || outcome.includes("wrong password"),
  );
  const variants: [BufProtocol, "files" | "reflection", Row[]][] = [
    ["grpc", "files", walk],
    ["grpcweb", "files", short],
    ["connect", "files", short],
    ["grpc", "reflection", short],
  ];
  test.each(variants)("buf curl speaks %s with a schema from %s", async (protocol, schema, rows) => {
    expect(rows.length).toBeGreaterThanOrEqual(2);
    const client = bufCurl(protocol, schema);
    for (const row of rows) await expectRow(row, client, setUp, house, false);
  });

  test("curl speaks REST", async () => {
    const client = await curl();
    expect(client, "curl is not installed: apt-get install curl").toBeDefined();
    for (const row of walk) expectHeaders(await expectRow(row, client!, setUp, house, true), true);
  });
});
