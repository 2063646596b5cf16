import {
  create,
  type DescMethodUnary,
  type DescService,
  fromJson,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Client, type Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { http } from "@zitadel/proto/google/api/annotations_pb.js";
import type { HttpRule } from "@zitadel/proto/google/api/http_pb.js";
import { AdminService as WitnessAdmin } from "@zitadel/proto/zitadel/admin_pb.js";
import { IdentityProviderService as WitnessIdp } from "@zitadel/proto/zitadel/idp/v2/idp_service_pb.js";
import { ManagementService as WitnessManagement } from "@zitadel/proto/zitadel/management_pb.js";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "@zitadel/proto/zitadel/message_pb.js";
import { SessionService as WitnessSession } from "@zitadel/proto/zitadel/session/v2/session_service_pb.js";
import { SettingsService as WitnessSettings } from "@zitadel/proto/zitadel/settings/v2/settings_service_pb.js";
import { UserService as WitnessUser } from "@zitadel/proto/zitadel/user/v2/user_service_pb.js";
import { http as ourHttp } from "../../../src/gen/google/api/annotations_pb.js";
import type { HttpRule as OurHttpRule } from "../../../src/gen/google/api/http_pb.js";
import { AdminService } from "../../../src/gen/zitadel/admin/v1/admin_service_pb.js";
import { IdentityProviderService } from "../../../src/gen/zitadel/idp/v2/idp_service_pb.js";
import { ManagementService } from "../../../src/gen/zitadel/management/v1/management_service_pb.js";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { SettingsService } from "../../../src/gen/zitadel/settings/v2/settings_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { type Refusal, refusalOf } from "../../support/clients.ts";
import { httpStatus } from "../../support/http-status.ts";
import type { Protocol } from "../protocols.ts";

/** Where the REST routes of the older services begin; the witness leaves that to its proxy. */
const services = {
  settings: { ours: SettingsService, witness: WitnessSettings, prefix: "" },
  admin: { ours: AdminService, witness: WitnessAdmin, prefix: "/admin/v1" },
  management: { ours: ManagementService, witness: WitnessManagement, prefix: "/management/v1" },
  user: { ours: UserService, witness: WitnessUser, prefix: "" },
  session: { ours: SessionService, witness: WitnessSession, prefix: "" },
  idp: { ours: IdentityProviderService, witness: WitnessIdp, prefix: "" },
} as const satisfies Record<string, { ours: DescService; witness: DescService; prefix: string }>;

export type ServiceName = keyof typeof services;

/** Asks as one caller. Requests and responses are JSON, whatever goes over the wire. @throws ConnectError */
export type Ask = (
  method: string,
  request?: JsonObject,
  headers?: Record<string, string>,
) => Promise<JsonObject>;

/** @param caller undefined: without a credential */
export function asking(
  house: { readonly url: string },
  service: ServiceName,
  caller: { token: string } | undefined,
  protocol: Protocol = "gRPC",
): Ask {
  return (name, request = {}, headers = {}) => {
    const all = { ...headers, ...(caller ? { authorization: `Bearer ${caller.token}` } : {}) };
    return protocol === "REST"
      ? overRest(house.url, service, name, request, all)
      : overTransport(transports[protocol](house.url), service, name, request, all);
  };
}

/** The refusal a call ends with, on any protocol. */
export const refusal: (call: Promise<unknown>) => Promise<Refusal> = refusalOf;

const kept = new Map<string, Transport>();
const keep = (kind: string, make: (url: string) => Transport) => (url: string) => {
  const transport = kept.get(`${kind} ${url}`) ?? make(url);
  kept.set(`${kind} ${url}`, transport);
  return transport;
};

const transports = {
  Connect: keep("Connect", (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ),
  gRPC: keep("gRPC", (baseUrl) => createGrpcTransport({ baseUrl })),
  "gRPC-Web": keep("gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
};

/** The method as others generated it, unless the request has a field newer than theirs. */
function methodOf(service: ServiceName, name: string, request: JsonObject): DescMethodUnary {
  const { ours, witness } = services[service];
  const find = (desc: DescService) => desc.methods.find((each) => each.name === name) as DescMethodUnary;
  try {
    fromJson(find(witness).input, request);
    return find(witness);
  } catch {
    return find(ours);
  }
}

type Calls = Record<
  string,
  (request: Message, options: { headers: Record<string, string> }) => Promise<Message>
>;

async function overTransport(
  transport: Transport,
  service: ServiceName,
  name: string,
  request: JsonObject,
  headers: Record<string, string>,
): Promise<JsonObject> {
  const method = methodOf(service, name, request);
  const client = createClient(method.parent, transport) as Client<DescService> as unknown as Calls;
  const answer = await client[method.localName]!(fromJson(method.input, request), { headers });
  return toJson(method.output, answer) as JsonObject;
}

async function overRest(
  url: string,
  service: ServiceName,
  name: string,
  request: JsonObject,
  headers: Record<string, string>,
): Promise<JsonObject> {
  const { verb, path, hasBody } = routeOf(service, name);
  const rest = { ...request };
  const target = path.replaceAll(/\{(\w+)\}/g, (_, field: string) => {
    const member = field.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const value = String(rest[member] ?? "");
    delete rest[member];
    return encodeURIComponent(value);
  });
  const query = hasBody ? "" : `?${new URLSearchParams(parametersOf(rest))}`;
  const answer = await fetch(url + target + query, {
    method: verb,
    headers: { "content-type": "application/json", ...headers },
    ...(hasBody ? { body: JSON.stringify(rest) } : {}),
  });
  const json = (await answer.json()) as JsonObject;
  if (answer.status === (name === "CreateSession" ? 201 : 200)) return json;
  throw fromStatus(answer, json);
}

function routeOf(service: ServiceName, name: string) {
  const { ours, witness, prefix } = services[service];
  const named = ({ methods }: DescService) => methods.find((method) => method.name === name);
  const known = named(witness);
  const rule: HttpRule | OurHttpRule =
    known && hasOption(known, http) ? getOption(known, http) : getOption(named(ours)!, ourHttp);
  const { case: verb, value: path } = rule.pattern;
  if (typeof path !== "string" || verb === undefined) throw new Error(`${name} has no REST form`);
  return { verb: verb.toUpperCase(), path: prefix + path, hasBody: rule.body === "*" };
}

/** Nested members with dots between, as query parameters are called. */
function parametersOf(json: JsonObject, before = ""): [string, string][] {
  return Object.entries(json).flatMap(([name, value]: [string, JsonValue]): [string, string][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? parametersOf(value, `${before}${name}.`)
      : [[before + name, String(value)]],
  );
}

const detailSchemas = [ErrorDetailSchema, CredentialsCheckErrorSchema];

/** A `google.rpc.Status` in JSON as the error the other protocols have. */
function fromStatus({ status: httpCode, headers }: Response, json: JsonObject): ConnectError {
  const { code, message, details = [] } = json as { code: Code; message: string; details?: JsonObject[] };
  if (httpCode !== httpStatus[code]) throw new Error(`HTTP ${httpCode} for code ${code}`);
  const error = new ConnectError(message, code, headers, undefined, json);
  error.details = details.map(({ "@type": type, ...fields }) => {
    const schema = detailSchemas.find(({ typeName }) => type === `type.googleapis.com/${typeName}`);
    if (!schema) throw new Error(`a detail nobody knows: ${String(type)}`);
    return { type: schema.typeName, value: toBinary(schema, create(schema, fields)) };
  });
  return error;
}

/** A change of the login policy with a duration as the binary formats carry it, within bounds or not. */
export function updateLoginPolicy(
  { url }: { readonly url: string },
  { token }: { token: string },
  passwordCheckLifetime: { seconds: bigint; nanos: number },
): Promise<unknown> {
  return createClient(WitnessAdmin, transports.gRPC(url)).updateLoginPolicy(
    { passwordCheckLifetime },
    { headers: { authorization: `Bearer ${token}` } },
  );
}
