import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { Authenticator, type AuthenticatorOptions, type Lies } from "../../support/authenticator.ts";
import {
  currentVersion,
  type Refusal,
  type Reply,
  refused,
  type SessionMethod,
  wireClients,
} from "../../support/clients.ts";
import type { Engine } from "../../support/databases.ts";
import { type House, type HouseOptions, PASSWORD, signIn, startHouse } from "../../support/fixtures.ts";
import type { Protocol } from "../protocols.ts";
import { asking, type Call, person } from "../users/wire.ts";

/** The relying party of these tests, and a page that speaks for it. */
export const RP_ID = "acme.example";
export const ORIGIN = "https://login.acme.example";

export const newDevice = (options: AuthenticatorOptions = {}) =>
  new Authenticator({ origin: ORIGIN, ...options });

/** A house known as acme.example, and the clock it goes by. */
export type Site = House & {
  /** Milliseconds that the application's clock is ahead of ours. */
  ahead: number;
};

export async function startSite(engine: Engine, { config, server }: HouseOptions = {}): Promise<Site> {
  const clock = () => new Date(Date.now() + site.ahead);
  const house = await startHouse(engine, {
    config: { publicUrl: `https://${RP_ID}`, ...config },
    server: { clock, ...server },
  });
  // Its own `url` moves with the server, so it cannot be copied.
  const site: Site = Object.assign(Object.create(house) as House, { ahead: 0 });
  return site;
}

let people = 0;
let hashed: string | undefined;

/** Somebody new with the password of everybody, at home. */
export async function newPerson({ cast, url }: House): Promise<{ id: string; loginName: string }> {
  people += 1;
  hashed ??= hashPassword(PASSWORD);
  const hash = hashed;
  const name = `person-${people}`;
  const { userId } = await asking({ url }, cast.owner)(
    "AddHumanUser",
    person(name, { hashedPassword: { hash }, organization: { orgId: cast.home.id } }),
  );
  return { id: userId as string, loginName: `${name}@example.com` };
}

/** A session token of somebody who gave the password. */
export async function signedIn(site: House, { id }: { id: string }): Promise<{ token: string }> {
  const { sessionToken: token } = await site
    .as(site.cast.loginClient)
    .createSession({ checks: signIn({ id }) });
  return { token };
}

export type Registered = { id: string; sequence: string };

/** Registers a credential from end to end. */
export async function registerPasskey(
  ask: Call,
  { id: userId }: { id: string },
  device: Authenticator,
  lies: Lies = {},
): Promise<Registered> {
  const { passkeyId, publicKeyCredentialCreationOptions: options } = await ask("RegisterPasskey", { userId });
  const { details } = await ask("VerifyPasskeyRegistration", {
    userId,
    passkeyId: passkeyId!,
    publicKeyCredential: device.create(options, lies),
    passkeyName: "Phone",
  });
  return { id: passkeyId as string, sequence: (details as { sequence: string }).sequence };
}

export async function registerU2F(
  ask: Call,
  { id: userId }: { id: string },
  device: Authenticator,
  lies: Lies = {},
): Promise<Registered> {
  const { u2fId, publicKeyCredentialCreationOptions: options } = await ask("RegisterU2F", { userId });
  const { details } = await ask("VerifyU2FRegistration", {
    userId,
    u2fId: u2fId!,
    publicKeyCredential: device.create(options, lies),
    tokenName: "Key",
  });
  return { id: u2fId as string, sequence: (details as { sequence: string }).sequence };
}

const clients = wireClients(currentVersion);
const clientNames: Record<Protocol, string> = {
  REST: "REST",
  Connect: "Connect JSON",
  gRPC: "@zitadel/client, gRPC",
  "gRPC-Web": "@zitadel/client, gRPC-Web",
};

/** Calls of the session service as one caller, in JSON. */
export type SessionCall = (method: SessionMethod, request: JsonObject) => Promise<Reply>;

export function sessions(
  house: { readonly url: string },
  { token }: { token: string },
  protocol: Protocol = "Connect",
): SessionCall {
  const client = clients.find(({ name }) => name === clientNames[protocol])!;
  return (method, request) =>
    client.send({ url: house.url, authorization: `Bearer ${token}` }, method, request);
}

/** The response. @throws Error if the call was refused */
export async function accepted(reply: Promise<Reply>): Promise<JsonObject> {
  const { response, code, message } = await reply;
  if (response === undefined) throw new Error(`${Code[code]}: ${message}`);
  return response;
}

/** The refusal. @throws Error if the call succeeded */
export async function refusalIn(reply: Promise<Reply>): Promise<Refusal> {
  const { code, message, details, response } = await reply;
  if (response) throw new Error(`expected a refusal, got ${JSON.stringify(response)}`);
  const [{ id, message: text }] = details as [{ id: string; message: string }];
  return { code, message, id, text };
}

export type Level = "REQUIRED" | "PREFERRED" | "DISCOURAGED";

export const webAuthNChallenge = (level: Level, domain: string = RP_ID): JsonObject => ({
  webAuthN: { domain, userVerificationRequirement: `USER_VERIFICATION_REQUIREMENT_${level}` },
});

export const byId = ({ id }: { id: string }): JsonObject => ({ user: { userId: id } });

/** A session about somebody, with a challenge. */
export async function challenged(
  call: SessionCall,
  user: { id: string },
  level: Level,
  domain?: string,
): Promise<{ sessionId: string; sessionToken: string; options: JsonObject }> {
  const response = await accepted(
    call("CreateSession", { checks: byId(user), challenges: webAuthNChallenge(level, domain) }),
  );
  return { ...(response as { sessionId: string; sessionToken: string }), options: optionsIn(response) };
}

/** The request options in an answer. */
export function optionsIn(response: JsonObject): JsonObject {
  const { challenges } = response as {
    challenges: { webAuthN: { publicKeyCredentialRequestOptions: JsonObject } };
  };
  return challenges.webAuthN.publicKeyCredentialRequestOptions;
}

export const answer = (
  call: SessionCall,
  sessionId: string,
  credentialAssertionData: JsonObject,
): Promise<Reply> => call("SetSession", { sessionId, checks: { webAuthN: { credentialAssertionData } } });

/** A session token of somebody who signed in with a passkey of this device, and nothing else. */
export async function signedInByPasskey(
  site: Site,
  user: { id: string },
  device: Authenticator,
): Promise<{ token: string }> {
  const call = sessions(site, site.cast.loginClient);
  const { sessionId, options } = await challenged(call, user, "REQUIRED");
  const { sessionToken } = await accepted(answer(call, sessionId, device.get(options)));
  return { token: sessionToken as string };
}

/** The factors a session shows; undefined: none. */
export async function factorsOf(call: SessionCall, sessionId: string): Promise<JsonObject | undefined> {
  const { session } = await accepted(call("GetSession", { sessionId }));
  return (session as { factors?: JsonObject }).factors;
}

export const failed = (text: string, id: string) => refused(Code.FailedPrecondition, text, id);
export const invalid = (text: string, id: string) => refused(Code.InvalidArgument, text, id);
