import { generateKeyPairSync } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { type WalkOptions, walkThrough } from "../../support/openid-provider.ts";
import { FAILURE_URL, SUCCESS_URL } from "../idp/walk.ts";
import { tokenOf } from "./codes.ts";
import { rememberKey } from "./service-accounts.ts";
import type { Stage } from "./stage.ts";

/** Identity providers of several kinds, configured well and badly, and walks to one of them. */
export async function walkToProviders(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, provider, client } = stage;
  const admin = cast.owner;
  const outside = { name: "Outside", clientId: client.id };
  const { authorization, token, user } = provider.endpoints;
  const endpoints = { authorizationEndpoint: authorization, tokenEndpoint: token, userEndpoint: user };
  const oidc = { ...outside, issuer: provider.issuer, scopes: ["openid", "email", "offline_access"] };
  const oauth = { ...outside, ...endpoints, scopes: ["read_user"], idAttribute: "id" };
  const idOf = async (method: string, request: JsonObject) =>
    (await ask("admin", admin, method, request)).id as string;

  const wrongly = await idOf("AddGenericOIDCProvider", { ...oidc, clientSecret: guess("client secret") });
  // The provider refuses the secret: the walk fails, and says so to the page it came from.
  expect((await walk(stage, wrongly)).searchParams.get("error")).not.toBeNull();
  const rightly = { ...oidc, id: wrongly, clientSecret: client.secret };
  await ask("admin", admin, "UpdateGenericOIDCProvider", rightly);
  const plain = await idOf("AddGenericOAuthProvider", { ...oauth, clientSecret: client.secret });
  for (const idpId of [wrongly, plain]) await succeed(stage, idpId);
  await walk(stage, wrongly, { deny: true });

  const badly = { ...oidc, clientSecret: guess("client secret"), issuer: "http://elsewhere.example" };
  await refused("admin", admin, "AddGenericOIDCProvider", badly);
  await refused("admin", cast.nobody, "AddGenericOIDCProvider", { ...oidc, clientSecret: client.secret });
  await refused("admin", admin, "UpdateGenericOAuthProvider", {
    ...oauth,
    id: "x",
    clientSecret: client.secret,
  });
  const other = { clientId: "the client", clientSecret: guess("client secret") };
  for (const method of ["AddGoogleProvider", "AddGitHubProvider", "AddGitLabProvider"])
    await idOf(method, other);
  await idOf("AddAzureADProvider", { name: "M", ...other });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  rememberKey(stage, pem);
  const apple = { clientId: "the client", teamId: "0123456789", keyId: "ABCDEFGHIJ" };
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const appleId = await idOf("AddAppleProvider", { ...apple, privateKey: encoded(pem) });
  await refused("admin", admin, "AddAppleProvider", { ...apple, privateKey: encoded(guess("private key")) });
  for (const id of [wrongly, plain, appleId]) await ask("idp", admin, "GetIDPByID", { id });
}

/** Goes to the provider and back. @returns where the browser is sent in the end */
async function walk(stage: Stage, idpId: string, options: WalkOptions = {}): Promise<URL> {
  const { cast, ask, secret, provider, account } = stage;
  const urls = { successUrl: SUCCESS_URL, failureUrl: FAILURE_URL };
  const { authUrl } = await ask("user", cast.nobody, "StartIdentityProviderIntent", { idpId, urls });
  const cookies = new Map<string, string>();
  const exchanged = provider.exchanges.length;
  const { url } = await walkThrough(authUrl as string, account, { ...options, cookies });
  for (const [name, value] of cookies) if (value.length > 9) secret(`the cookie ${name}`, value);
  const code = url.searchParams.get("code");
  if (code !== null) secret("a code of the provider", code);
  // On one machine a browser shows every server the same cookies, whatever its port.
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const back = () => stage.send(url.pathname + url.search, { headers: { cookie } });
  const answer = await back();
  expect(answer.status).toBe(302);
  for (const { code_verifier: verifier, client_secret: inForm } of provider.exchanges.slice(exchanged)) {
    if (verifier !== undefined) secret("a code verifier", verifier as string);
    if (inForm !== undefined) secret("a client secret in a form", inForm as string);
  }
  // A walk ends once.
  expect((await back()).status).toBe(400);
  return new URL(answer.headers.get("location")!);
}

/** Goes there and back, and reads what was brought along. */
async function bringBack(stage: Stage, idpId: string) {
  const { cast, ask, secret } = stage;
  const { searchParams } = await walk(stage, idpId);
  const [id, token] = [searchParams.get("id")!, secret("an intent token", searchParams.get("token")!)];
  const retrieval = { idpIntentId: id, idpIntentToken: token };
  const method = "RetrieveIdentityProviderIntent";
  // The generated client of the other protocols is older than refresh tokens.
  const { idpInformation } = await ask("user", cast.nobody, method, retrieval, "REST");
  const { oauth, userId: outsideId } = idpInformation as { oauth: Record<string, string>; userId: string };
  for (const [name, value] of Object.entries(oauth)) secret(`the ${name} of the provider`, value);
  if (oauth.accessToken === undefined) throw new Error("no token of the provider to remember");
  return { id, token, retrieval, outsideId };
}

/** Goes there and back, and signs in with what was brought along. */
async function succeed(stage: Stage, idpId: string): Promise<void> {
  const { cast, ask, refused, guess, secret } = stage;
  const { userId } = await stage.newPerson();
  const { id, token, retrieval, outsideId } = await bringBack(stage, idpId);
  const idpLink = { idpId, userId: outsideId, userName: "outside" };
  await ask("user", cast.owner, "AddIDPLink", { userId, idpLink });

  const checks = (idpIntentToken: string) => ({
    user: { userId },
    idpIntent: { idpIntentId: id, idpIntentToken },
  });
  const login = cast.loginClient;
  const almost = secret("an intent token almost right", `${token.slice(0, -4)}AAAA`);
  for (const nonsense of [almost, guess("intent token")]) {
    await refused("user", cast.nobody, "RetrieveIdentityProviderIntent", {
      ...retrieval,
      idpIntentToken: nonsense,
    });
    await refused("session", login, "CreateSession", { checks: checks(nonsense) });
  }
  const other = { user: { userId: cast.mia.id }, idpIntent: checks(token).idpIntent };
  await refused("session", login, "CreateSession", { checks: other });
  tokenOf(stage, await ask("session", login, "CreateSession", { checks: checks(token) }));
  await refused("session", login, "CreateSession", { checks: checks(token) });
  await refused("user", cast.nobody, "RetrieveIdentityProviderIntent", retrieval);
  await ask("user", cast.owner, "ListIDPLinks", { userId });
  // One more that is not used up: its tokens stay.
  await bringBack(stage, idpId);
}
