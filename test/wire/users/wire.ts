import {
  type DescMethodUnary,
  type DescService,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { createClientTransport } from "@zitadel/client/web";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "@zitadel/proto/zitadel/message_pb.js";
import { OrganizationService as WitnessOrganizationService } from "@zitadel/proto/zitadel/org/v2/org_service_pb.js";
import { UserService as WitnessUserService } from "@zitadel/proto/zitadel/user/v2/user_service_pb.js";
import { expect } from "vitest";
import { InternalPermissionService } from "../../../src/gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import { OrganizationService } from "../../../src/gen/zitadel/org/v2/org_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import type { Refusal } from "../../support/clients.ts";
import { httpStatus } from "../../support/http-status.ts";
import type { Protocol } from "../protocols.ts";

/** Verb and path of the REST form; null: there is none. Placeholders are members of the request. */
const methods = {
  CreateUser: "POST /v2/users/new",
  AddHumanUser: "POST /v2/users/human",
  GetUserByID: "GET /v2/users/{userId}",
  ListUsers: "POST /v2/users",
  UpdateUser: "PATCH /v2/users/{userId}",
  UpdateHumanUser: "PUT /v2/users/human/{userId}",
  DeleteUser: "DELETE /v2/users/{userId}",
  DeactivateUser: "POST /v2/users/{userId}/deactivate",
  ReactivateUser: "POST /v2/users/{userId}/reactivate",
  LockUser: "POST /v2/users/{userId}/lock",
  UnlockUser: "POST /v2/users/{userId}/unlock",
  SetPassword: "POST /v2/users/{userId}/password",
  PasswordReset: "POST /v2/users/{userId}/password_reset",
  RemovePhone: "DELETE /v2/users/{userId}/phone",
  RemoveIDPLink: "DELETE /v2/users/{userId}/links/{idpId}/{linkedUserId}",
  AddPersonalAccessToken: "POST /v2/users/{userId}/pats",
  RemovePersonalAccessToken: "DELETE /v2/users/{userId}/pats/{tokenId}",
  ListPersonalAccessTokens: "POST /v2/users/pats/search",
  AddKey: "POST /v2/users/{userId}/keys",
  RemoveKey: "DELETE /v2/users/{userId}/keys/{keyId}",
  ListKeys: "POST /v2/users/keys/search",
  AddSecret: "POST /v2/users/{userId}/secret",
  RemoveSecret: "DELETE /v2/users/{userId}/secret",
  RegisterPasskey: "POST /v2/users/{userId}/passkeys",
  VerifyPasskeyRegistration: "POST /v2/users/{userId}/passkeys/{passkeyId}",
  CreatePasskeyRegistrationLink: "POST /v2/users/{userId}/passkeys/registration_link",
  ListPasskeys: "POST /v2/users/{userId}/passkeys/_search",
  RemovePasskey: "DELETE /v2/users/{userId}/passkeys/{passkeyId}",
  RegisterU2F: "POST /v2/users/{userId}/u2f",
  VerifyU2FRegistration: "POST /v2/users/{userId}/u2f/{u2fId}",
  RemoveU2F: "DELETE /v2/users/{userId}/u2f/{u2fId}",
  RegisterTOTP: "POST /v2/users/{userId}/totp",
  VerifyTOTPRegistration: "POST /v2/users/{userId}/totp/verify",
  RemoveTOTP: "DELETE /v2/users/{userId}/totp",
  AddOTPSMS: "POST /v2/users/{userId}/otp_sms",
  RemoveOTPSMS: "DELETE /v2/users/{userId}/otp_sms",
  AddOTPEmail: "POST /v2/users/{userId}/otp_email",
  RemoveOTPEmail: "DELETE /v2/users/{userId}/otp_email",
  GenerateRecoveryCodes: "POST /v2/users/{userId}/recovery_codes",
  RemoveRecoveryCodes: "DELETE /v2/users/{userId}/recovery_codes",
  ListAuthenticationMethodTypes: "GET /v2/users/{userId}/authentication_methods",
  ListAuthenticationFactors: "POST /v2/users/{userId}/authentication_factors/_search",
  AddOrganization: "POST /v2/organizations",
  ListOrganizations: "POST /v2/organizations/_search",
  DeleteOrganization: "DELETE /v2/organizations/{organizationId}",
  CreateAdministrator: null,
  UpdateAdministrator: null,
  DeleteAdministrator: null,
  ListAdministrators: null,
} as const;

export type Method = keyof typeof methods;

/** Asks as one caller. Requests and responses are JSON, whatever goes over the wire. @throws Refused */
export type Call = (
  method: Method,
  request?: JsonObject,
  headers?: Record<string, string>,
) => Promise<JsonObject>;

/** @param caller undefined: without a credential */
export function asking(
  house: { readonly url: string },
  caller: { token: string } | undefined,
  protocol: Protocol = "gRPC",
): Call {
  return (method, request = {}, headers = {}) =>
    senders[protocol](house.url, caller?.token, method, request, headers);
}

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`${Code[refusal.code]}: ${refusal.message}`);
    this.refusal = refusal;
  }
}

/** The refusal a call ends with. @throws Error if the call succeeds, or fails otherwise */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(answer)}`);
}

type Send = (
  url: string,
  token: string | undefined,
  method: Method,
  request: JsonObject,
  headers: Record<string, string>,
) => Promise<JsonObject>;

const senders: Record<Protocol, Send> = {
  REST: overRest,
  Connect: overConnect,
  gRPC: overGrpc(createServerTransport),
  // The type asks for an option of the other transport.
  "gRPC-Web": overGrpc(createClientTransport as typeof createServerTransport),
};

const credential = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

async function overRest(...[url, token, method, request, headers]: Parameters<Send>): Promise<JsonObject> {
  const form = methods[method];
  if (form === null) throw new Error(`${method} has no REST form`);
  const [verb, template] = form.split(" ") as [string, string];
  const body = { ...request };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = body[name];
    delete body[name];
    return encodeURIComponent(value as string);
  });
  const isBodiless = verb === "GET" || verb === "DELETE" || method === "ListAuthenticationFactors";
  const answer = await fetch(url + path + (isBodiless ? `?${new URLSearchParams(parameters(body))}` : ""), {
    method: verb,
    headers: { "content-type": "application/json", ...credential(token), ...headers },
    ...(isBodiless ? {} : { body: JSON.stringify(body) }),
  });
  const json = (await answer.json()) as JsonObject;
  if (answer.ok) {
    expect(answer.status).toBe(method === "AddOrganization" ? 201 : 200);
    return json;
  }
  const {
    code,
    message,
    details = [],
  } = json as {
    code: Code;
    message: string;
    details?: { "@type": string; id: string; message: string; failedAttempts?: number }[];
  };
  expect(answer.status).toBe(httpStatus[code]);
  expect(details.length).toBeLessThanOrEqual(1);
  throw new Refused({
    code,
    message,
    ...details.map(({ "@type": type, id, message: text, failedAttempts = 0 }) => {
      if (type === `type.googleapis.com/${ErrorDetailSchema.typeName}`) return { id, text };
      expect(type).toBe(`type.googleapis.com/${CredentialsCheckErrorSchema.typeName}`);
      return { id, text, failedAttempts };
    })[0],
  });
}

/** What a request without a body says in its query: `domainQuery.domain`, lists one by one. */
function parameters(value: JsonValue, name = ""): [string, string][] {
  if (Array.isArray(value)) return value.flatMap((item) => parameters(item, name));
  if (typeof value !== "object" || value === null) return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, member]) => parameters(member, name ? `${name}.${key}` : key));
}

async function overConnect(...[url, token, method, request, headers]: Parameters<Send>): Promise<JsonObject> {
  const answer = await fetch(`${url}/${serviceOf(method).typeName}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...credential(token), ...headers },
    body: JSON.stringify(request),
  });
  const json = (await answer.json()) as JsonObject;
  if (answer.status === 200) return json;
  const {
    code: name,
    message,
    details = [],
  } = json as {
    code: string;
    message: string;
    details?: { type: string; value: string }[];
  };
  const code = codeByName(name);
  expect(answer.status).toBe(httpStatus[code]);
  throw new Refused({
    code,
    message,
    ...fromDetails(details.map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") }))),
  });
}

const codeByName = (name: string): Code =>
  Code[name.replaceAll(/(?:^|_)(\w)/g, (_, first: string) => first.toUpperCase()) as keyof typeof Code];

type Calls = Record<
  string,
  (request: Message, options: { headers: Record<string, string> }) => Promise<Message>
>;

/** As the generated client sends it, through its own transport. */
function overGrpc(transport: typeof createServerTransport): Send {
  const clients = new Map<string, Calls>();
  return async (url, token, method, request, headers) => {
    const service = knows(witnessOf(method), method, request) ? witnessOf(method)! : serviceOf(method);
    const descriptor = methodIn(service, method)!;
    const key = `${url} ${token} ${service.typeName} ${service === serviceOf(method)}`;
    const calls =
      clients.get(key) ??
      (createClientFor(service)(transport(token ?? "", { baseUrl: url })) as unknown as Calls);
    clients.set(key, calls);
    const message = fromJson(descriptor.input, request);
    try {
      const answer = await calls[descriptor.localName]!(message, { headers });
      return toJson(descriptor.output, answer) as JsonObject;
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      const { code, rawMessage, details } = error;
      throw new Refused({
        code,
        message: rawMessage,
        ...fromDetails(details.filter((detail): detail is IncomingDetail => "type" in detail)),
      });
    }
  };
}

type IncomingDetail = { type: string; value: Uint8Array };

function fromDetails(details: IncomingDetail[]): Pick<Refusal, "id" | "text" | "failedAttempts"> {
  expect(details.length).toBeLessThanOrEqual(1);
  return (
    details.map(({ type, value }) => {
      if (type === ErrorDetailSchema.typeName) {
        const { id, message: text } = fromBinary(ErrorDetailSchema, value);
        return { id, text };
      }
      expect(type).toBe(CredentialsCheckErrorSchema.typeName);
      const { id, message: text, failedAttempts } = fromBinary(CredentialsCheckErrorSchema, value);
      return { id, text, failedAttempts };
    })[0] ?? {}
  );
}

function serviceOf(method: Method): DescService {
  if (method.includes("Organization")) return OrganizationService;
  return method.includes("Administrator") ? InternalPermissionService : UserService;
}

/** The service as others generated it; the package has administrators in an older version only. */
function witnessOf(method: Method): DescService | undefined {
  if (method.includes("Administrator")) return undefined;
  return method.includes("Organization") ? WitnessOrganizationService : WitnessUserService;
}

const methodIn = (service: DescService, name: Method): DescMethodUnary | undefined =>
  service.methods.find((method) => method.name === name) as DescMethodUnary | undefined;

/** Whether the request has no field newer than the witness. */
function knows(service: DescService | undefined, method: Method, request: JsonObject): boolean {
  const descriptor = service && methodIn(service, method);
  if (!descriptor) return false;
  try {
    fromJson(descriptor.input, request);
    return true;
  } catch {
    return false;
  }
}

/** Any time as the wire writes it. */
export const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/) as unknown as string;
export const code = expect.stringMatching(/^[A-Z0-9]{6}$/) as unknown as string;
export const uuid = expect.stringMatching(
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
) as unknown as string;

/** What a write says of the aggregate it wrote. */
export const details = (sequence: number, resourceOwner: string): JsonObject => ({
  sequence: String(sequence),
  changeDate: time,
  creationDate: time,
  resourceOwner,
});

/** A person as requests describe one, living nowhere yet; the address is verified and made of the name. */
export const person = (name: string, changes: JsonObject = {}): JsonObject => ({
  profile: { givenName: name, familyName: "Example" },
  email: { email: `${name}@example.com`, isVerified: true },
  ...changes,
});

/** The ids of a list, in its order. */
export const idsOf = (rows: JsonValue | undefined, member = "id"): JsonValue[] =>
  ((rows ?? []) as JsonObject[]).map((row) => row[member]!);

export const permissionDenied: Refusal = {
  code: Code.PermissionDenied,
  message: "No matching permissions found (AUTH-AWfge)",
  id: "AUTH-AWfge",
  text: "No matching permissions found",
};

export const unauthenticated: Refusal = {
  code: Code.Unauthenticated,
  message: "Errors.Token.Invalid (AUTH-7fs1e)",
  id: "AUTH-7fs1e",
  text: "Errors.Token.Invalid",
};

let bots = 0;

/** Adds a service account to an organization. @returns its id */
export async function newBot(ask: Call, organizationId: string): Promise<string> {
  bots += 1;
  const machine = { name: "Bot" };
  return (await ask("CreateUser", { organizationId, userId: `bot-${bots}`, machine })).id as string;
}
