import { gzipSync } from "node:zlib";
import { create, type DescMessage, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { HealthCheckRequestSchema } from "../../../src/gen/grpc/health/v1/health_pb.js";
import {
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  GetSessionRequestSchema,
} from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { GetUserByIDRequestSchema } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { frame } from "../clients.ts";
import type { Script } from "./script.ts";
import { maxBodyBytes } from "./stage.ts";

/** A request ready for either version of HTTP. */
export type EdgeRequest = {
  version: 1 | 2;
  verb: string;
  target: string;
  headers: Record<string, string>;
  /** In as many packets or frames. */
  pieces: Buffer[];
  framing: "length" | "chunked";
  /** The session id it asks for, and what is to happen then. */
  id: string;
  script: Script;
};

const codes = Object.values(Code).filter((code): code is Code => typeof code === "number");

const headerName = fc.constantFrom(
  "x-first",
  "x-second",
  "X-Upper",
  "set-cookie",
  "some-bin",
  "vary",
  "content-type",
  "grpc-status",
  "grpc-message",
  "expires",
  "x-request-id",
  "zz-last",
  "content-encoding-not",
);
const headerValue = fc.oneof(
  fc.constantFrom(
    "a",
    "two words",
    "  spaces around ",
    "",
    "1, 2",
    "café",
    Buffer.from([0, 1, 255]).toString("base64"),
  ),
  fc.string({ unit: fc.constantFrom(..."abc,; =/%"), maxLength: 12 }),
);

const field = fc.record({
  on: fc.constantFrom("header" as const, "trailer" as const),
  how: fc.constantFrom("set" as const, "set" as const, "append" as const, "delete" as const),
  name: headerName,
  value: headerValue,
});

const text = fc.oneof(
  fc.constantFrom(
    "",
    "no",
    "ünï cödé ☃",
    "50% \r\n\t done",
    'cannot decode message a.B from JSON: expected x, got "pw"',
  ),
  fc.string({ maxLength: 20 }),
  fc.constant("long ".repeat(300)),
);

const failure: fc.Arbitrary<Script["error"]> = fc.oneof(
  fc.record({
    kind: fc.constant("connect" as const),
    code: fc.constantFrom(...codes),
    message: text,
    metadata: fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 }),
    details: fc.array(fc.string({ maxLength: 8 }), { maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant("domain" as const),
    slug: fc.constantFrom("session.not_found" as const, "storage.conflict" as const),
  }),
  fc.record({ kind: fc.constant("foreign" as const), message: text }),
  fc.record({ kind: fc.constant("thing" as const), message: text }),
);

export const script: fc.Arbitrary<Script> = fc.record({
  fields: fc.oneof(
    { weight: 2, arbitrary: fc.constant<Script["fields"]>([]) },
    { weight: 1, arbitrary: fc.array(field, { maxLength: 4 }) },
  ),
  waits: fc.constantFrom("not" as const, "not" as const, "turn" as const),
  error: fc.option(failure, { nil: undefined, freq: 1 }),
  padding: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("", "id", "naïve ☃", 'quo"te', "half \ud800 pair") },
    { weight: 1, arbitrary: fc.constantFrom("x".repeat(990), "y".repeat(1_024), "é".repeat(2_000)) },
  ),
  isWhole: fc.boolean(),
});

type Method = { path: string; schema: DescMessage; message: (id: string) => MessageInitShape<DescMessage> };

const service = "/zitadel.session.v2.SessionService";
const methods: Method[] = [
  { path: `${service}/GetSession`, schema: GetSessionRequestSchema, message: (sessionId) => ({ sessionId }) },
  {
    path: `${service}/DeleteSession`,
    schema: DeleteSessionRequestSchema,
    message: (sessionId) => ({ sessionId, sessionToken: "naïve ☃" }),
  },
  {
    path: `${service}/CreateSession`,
    schema: CreateSessionRequestSchema,
    message: (id) => ({
      metadata: { script: Buffer.from(id), other: new Uint8Array(40) },
      lifetime: { seconds: 60n },
    }),
  },
  // Not implemented, but registered.
  { path: `${service}/SetSession`, schema: GetSessionRequestSchema, message: (sessionId) => ({ sessionId }) },
  // Needs no caller.
  {
    path: "/grpc.health.v1.Health/Check",
    schema: HealthCheckRequestSchema,
    message: () => ({ service: "" }),
  },
  {
    path: "/grpc.health.v1.Health/Check",
    schema: HealthCheckRequestSchema,
    message: () => ({ service: "x" }),
  },
  {
    path: "/zitadel.user.v2.UserService/GetUserByID",
    schema: GetUserByIDRequestSchema,
    message: (userId) => ({ userId }),
  },
];

/** What clients call by; the odd ones are rare. */
const ordinaryTypes = [
  "application/json",
  "application/proto",
  "application/grpc",
  "application/grpc+proto",
  "application/grpc+json",
  "application/grpc-web",
  "application/grpc-web+proto",
  "application/grpc-web+json",
];
const oddTypes = [
  "application/json; charset=utf-8",
  "application/json;charset=latin1",
  "Application/JSON",
  "application/grpc;x=y",
  "application/GRPC+proto",
  "application/grpc-web-text",
  "application/grpc-web-text+proto",
  "application/connect+json",
  "application/grpc+xml",
  "text/plain",
  "",
];

const contentType = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...ordinaryTypes) },
  { weight: 1, arbitrary: fc.constantFrom(...oddTypes) },
);

/** Headers that come or do not, with values good and bad. */
const optional: [string, number, string[]][] = [
  [
    "authorization",
    0.97,
    [...Array<string>(16).fill("Bearer good"), "bearer good", "Bearer bad", "Basic x", ""],
  ],
  ["accept-encoding", 0.4, ["gzip", "identity", "br, gzip", "gzip;q=1", "", "GZIP"]],
  ["grpc-accept-encoding", 0.4, ["gzip", "identity,deflate,gzip", "identity", ""]],
  ["connect-protocol-version", 0.3, ["1", "2"]],
  ["connect-timeout-ms", 0.08, ["60000", "0", "9999999999", "-1", "1s", "12345678901"]],
  ["grpc-timeout", 0.08, ["60S", "0n", "99999999H", "1", "50000000u", "1x"]],
  ["origin", 0.2, ["https://app.example", "https://other.example"]],
  ["x-zitadel-orgid", 0.1, ["known", "known", "unknown", "2"]],
  ["content-encoding", 0.05, ["gzip", "identity", "br"]],
  ["grpc-encoding", 0.06, ["gzip", "identity", "snappy"]],
  ["x-one", 0.3, ["a", "two words"]],
  ["some-bin", 0.1, ["AAH/"]],
  ["x-copy", 0.15, ["1"]],
  ["te", 0.3, ["trailers"]],
  ["cookie", 0.1, ["a=b; c=d"]],
  ["grpc-metadata-x-one", 0.05, ["meta"]],
];

const headers = fc
  .tuple(
    ...optional.map(([name, share, values]) =>
      fc.oneof(
        { weight: share * 100, arbitrary: fc.constantFrom(...values).map((value) => [[name, value]]) },
        { weight: 100 - share * 100, arbitrary: fc.constant<string[][]>([]) },
      ),
    ),
  )
  .map((entries) => Object.fromEntries(entries.flat()) as Record<string, string>);

/** What becomes of a body on its way. */
const mishap = fc.oneof(
  { weight: 20, arbitrary: fc.constant("none" as const) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "truncated",
      "longer",
      "flipped",
      "twice",
      "flags",
      "endFlag",
      "compressed",
      "empty",
      "noise",
      "wrongType",
      "unknownField",
      "duplicateKey",
      "halfPair",
      "notUtf8",
      "atLimit",
      "overLimit",
      "farOverLimit",
    ),
  },
);
type Mishap = typeof mishap extends fc.Arbitrary<infer M> ? M : never;

function encoded(method: Method, id: string, type: string, what: Mishap, at: number): Buffer {
  const isJson = /json/i.test(type);
  const isFramed = /^application\/grpc/i.test(type);
  let message = Buffer.from(
    isJson
      ? toJsonString(method.schema, create(method.schema, method.message(id)))
      : toBinary(method.schema, create(method.schema, method.message(id))),
  );
  const inJson = (members: string) => Buffer.from(message.toString().replace("{", `{${members}`));
  const head = isFramed ? 5 : 0;
  const filled = (length: number) =>
    isJson
      ? inJson(`"unknown":"${"x".repeat(length - message.length - 13)}",`)
      : Buffer.concat([message, unknown(length - message.length)]);
  if (what === "unknownField")
    message = isJson ? inJson('"nobody":{"knows":[1]},') : Buffer.concat([message, unknown(9)]);
  if (what === "wrongType")
    message = isJson ? inJson('"sessionId":{"secret":"pw"},"sequence":[],') : Buffer.from([8, 1]);
  if (what === "duplicateKey" && isJson) message = inJson('"sessionId":"1","session_id":"2",');
  if (what === "halfPair")
    message = isJson ? inJson('"sessionToken":"a\\ud800b",') : Buffer.from([10, 2, 0xed, 0xa0]);
  if (what === "notUtf8") message = Buffer.concat([message, Buffer.from([0xff, 0xfe])]);
  if (what === "noise") message = Buffer.from(`${at} noise`);
  if (what === "empty") return Buffer.alloc(0);
  if (what === "atLimit") message = filled(maxBodyBytes);
  if (what === "overLimit") message = filled(maxBodyBytes + 3);
  if (what === "farOverLimit") message = filled(maxBodyBytes * 3);
  if (what === "compressed") message = gzipSync(message);
  const flags = { flags: 2, endFlag: 0x80, compressed: 1 }[what as string] ?? 0;
  let body = isFramed ? frame(message, flags) : message;
  if (what === "truncated") body = body.subarray(0, at % (body.length + 1));
  if (what === "longer") body = Buffer.concat([body, Buffer.from("!")]);
  if (what === "twice") body = Buffer.concat([body, body]);
  if (what === "flipped" && body.length > head) {
    body = Buffer.from(body);
    const place = at % body.length;
    body[place] = body[place]! ^ (1 << (at % 8));
  }
  return /-text/.test(type) ? Buffer.from(body.toString("base64")) : body;
}

/** A field of number 1000 with so many bytes in all. */
function unknown(length: number): Buffer {
  const bytes = Buffer.alloc(length, "u");
  bytes.set([0xc2, 0x3e, ((length - 4) & 0x7f) | 0x80, (length - 4) >> 7], 0);
  return length < 5 ? Buffer.from([0xc0, 0x3e, 1]) : bytes;
}

/** A whole call of GetSession. */
export const getSession = (id: string, type: string): Buffer => encoded(methods[0]!, id, type, "none", 0);

const cut = (body: Buffer, pieces: number): Buffer[] => {
  if (body.length < pieces) return [body];
  const size = Math.ceil(body.length / pieces);
  return Array.from({ length: pieces }, (_, index) => body.subarray(index * size, (index + 1) * size));
};

const shape = fc.record({
  version: fc.constantFrom(1 as const, 2 as const),
  headers,
  framing: fc.constantFrom("length" as const, "length" as const, "chunked" as const),
  pieces: fc.constantFrom(1, 1, 1, 3),
  id: fc.integer({ min: 1, max: 1e9 }).map(String),
  script,
});

/** A call of an RPC path. */
export const rpcRequest: fc.Arbitrary<EdgeRequest> = fc
  .record({
    shape,
    method: fc.constantFrom(...methods),
    verb: fc.constantFrom(...Array<string>(60).fill("POST"), "GET", "PUT", "DELETE", "OPTIONS", "PATCH"),
    type: contentType,
    what: mishap,
    at: fc.nat(10_000),
    search: fc.constantFrom(...Array<string>(30).fill(""), "?a=b", "?", "?encoding=json&message=%7B%7D"),
  })
  .map(({ shape, method, verb, type, what, at, search }) => ({
    ...shape,
    verb,
    target: method.path + search,
    headers: type === "" ? shape.headers : { "content-type": type, ...shape.headers },
    pieces: cut(encoded(method, shape.id, type, what, at), shape.pieces),
  }));

const json = fc.oneof(
  fc.constantFrom(
    "",
    "{}",
    '{"sessionToken":"t"}',
    '{"sessionToken":"\\ud800x"}',
    '{"nobody":"knows"}',
    '{"sessionToken":{}}',
    "[]",
    "null",
    "{",
    '{"tags":["a","\\udfffb"],"ratio":-0,"numbers":[1,2],"raw":"AAE=","kind":"KIND_ROUND","made_at":"2026-01-01T00:00:00Z"}',
    '{"ratio":"NaN","bigNumber":"9007199254740993","inner":{"name":"☃","count":4294967295}}',
    '{"numbers":[2147483648]}',
    '{"lasts":"1.5s","agreed":true,"left":"l"}',
    '{"metadata":{"script":"MQ==","a\\ud800":"AA=="}}',
  ),
  fc.json({ maxDepth: 2 }),
);

/** A call of a REST route, or of what looks like one. */
export const restRequest: fc.Arbitrary<EdgeRequest> = fc
  .record({
    shape,
    route: fc.constantFrom<[string, string]>(
      ["GET", "/v2/sessions/ID"],
      ["DELETE", "/v2/sessions/ID"],
      ["POST", "/v2/sessions"],
      ["PATCH", "/v2/sessions/ID"],
      ["GET", "/v2/users/ID"],
      ["GET", "/v1/things/ID"],
      ["GET", "/v1/shelves/a%2Fb/books/ID"],
      ["GET", "/v1/files/a/b/ID"],
      ["GET", "/v1/big/12/true"],
      ["GET", "/v1/big/no/2"],
      ["POST", "/v1/things/ID:lock"],
      ["PUT", "/v1/things/ID"],
      ["DELETE", "/v1/things/ID"],
      ["GET", "/v2/nothing"],
      ["GET", "/v2/sessions/%ff"],
    ),
    body: json,
    what: fc.constantFrom(...Array<string>(10).fill("none"), "truncated", "over", "notUtf8", "gzip"),
    search: fc.constantFrom(
      ...Array<string>(6).fill(""),
      "?sessionToken=x",
      "?tags=a&tags=%ED%A0%80",
      "?kind=KIND_ROUND",
      "?inner.count=-1",
      "?isSet=maybe",
    ),
  })
  .map(({ shape, route: [verb, path], body, what, search }) => {
    let bytes = Buffer.from(body);
    if (what === "truncated") bytes = bytes.subarray(0, bytes.length >> 1);
    if (what === "over") bytes = Buffer.alloc(maxBodyBytes + 1, " ");
    if (what === "notUtf8") bytes = Buffer.concat([bytes, Buffer.from([0xff])]);
    if (what === "gzip") bytes = gzipSync(bytes);
    const encoding: Record<string, string> = what === "gzip" ? { "content-encoding": "gzip" } : {};
    return {
      ...shape,
      verb,
      target: path.replace("ID", shape.id) + search,
      headers: { "content-type": "application/json", ...shape.headers, ...encoding },
      pieces: verb === "GET" ? [] : cut(bytes, shape.pieces),
    };
  });
