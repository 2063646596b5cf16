import {
  type DescMethod,
  type DescMethodUnary,
  fromJson,
  getOption,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { http } from "../../src/gen/google/api/annotations_pb.js";
import type { HttpRule } from "../../src/gen/google/api/http_pb.js";
import type { Protocol } from "../wire/protocols.ts";

/** Asks any method of the contract, in JSON, as one caller on one server. @throws ConnectError on every protocol */
export type AnyCall = (method: DescMethod, request?: JsonObject) => Promise<JsonObject>;

/** @param token undefined: without a credential */
export function anyCall(url: string, token: string | undefined, protocol: Protocol): AnyCall {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (protocol === "REST") return (method, request = {}) => overRest(url, headers, method, request);
  const transport = transportTo(url, protocol);
  return async (method, request = {}) => {
    const message = fromJson(method.input, request);
    const answer = await transport.unary(method as DescMethodUnary, undefined, undefined, headers, message);
    return toJson(method.output, answer.message) as JsonObject;
  };
}

const transports = new Map<string, Transport>();

function transportTo(baseUrl: string, protocol: Exclude<Protocol, "REST">): Transport {
  const key = `${protocol} ${baseUrl}`;
  let transport = transports.get(key);
  if (transport === undefined) {
    transport = {
      Connect: () => createConnectTransport({ baseUrl, httpVersion: "2" }),
      gRPC: () => createGrpcTransport({ baseUrl }),
      "gRPC-Web": () => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    }[protocol]();
    transports.set(key, transport);
  }
  return transport;
}

async function overRest(
  url: string,
  headers: Record<string, string>,
  method: DescMethod,
  request: JsonObject,
): Promise<JsonObject> {
  const answer = await restRequest(url, headers, method, getOption(method, http), request);
  const json = (await answer.json()) as JsonObject;
  if (answer.ok) return json;
  const { code, message } = json as { code: Code; message: string };
  throw new ConnectError(message, code);
}

/** One request over REST, as the method's route says. */
export function restRequest(
  url: string,
  headers: Record<string, string>,
  { input }: DescMethod,
  { pattern, body }: HttpRule,
  request: JsonObject,
): Promise<Response> {
  const { case: verb, value: template } = pattern;
  if (typeof template !== "string") throw new Error("a verb of its own is not known here");
  const rest = { ...request };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const member = input.fields.find((field) => field.name === name)!.jsonName;
    const { [member]: value = "x" } = rest;
    delete rest[member];
    return encodeURIComponent(String(value));
  });
  const sent = body === "*" ? JSON.stringify(rest) : undefined;
  const query = sent === undefined ? `?${new URLSearchParams(parametersOf(rest))}` : "";
  return fetch(url + path + query, {
    method: verb!.toUpperCase(),
    headers: { "content-type": "application/json", ...headers },
    ...(sent === undefined ? {} : { body: sent }),
  });
}

/** Members of members with dots between. */
const parametersOf = (json: JsonObject, before = ""): [string, string][] =>
  Object.entries(json).flatMap(([name, value]): [string, string][] =>
    typeof value === "object" && value !== null
      ? parametersOf(value as JsonObject, `${before}${name}.`)
      : [[before + name, String(value as JsonValue)]],
  );

/** What a call is refused with. @throws Error if it succeeds */
export async function refusalCode(call: Promise<unknown>): Promise<keyof typeof Code> {
  const answer = await call.then(
    () => undefined,
    (error) => error,
  );
  if (answer === undefined) throw new Error("expected a refusal");
  if (!(answer instanceof ConnectError)) throw answer;
  return Code[answer.code] as keyof typeof Code;
}
