import { createPrivateKey, type KeyObject } from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import { expect } from "vitest";
import { asking, type Call, refusal, unauthenticated } from "../users/wire.ts";

export const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const FAR = "2100-01-01T00:00:00Z";

export const accessTokenText = expect.stringMatching(/^gatehouse_at_[\w-]+$/) as unknown as string;

export type ServiceAccount = {
  userId: string;
  username: string;
  keyId: string;
  privateKey: KeyObject;
  secret: string;
};

/** A service account with a key and a secret, as its administrator makes it. */
export async function newServiceAccount(
  ask: Call,
  organizationId: string,
  expirationDate = FAR,
): Promise<ServiceAccount> {
  const username = `bot-${crypto.randomUUID()}`;
  const { id } = await ask("CreateUser", { organizationId, username, machine: { name: "Bot" } });
  const userId = id as string;
  const { keyContent } = await ask("AddKey", { userId, expirationDate });
  const { keyId, key } = JSON.parse(Buffer.from(keyContent as string, "base64").toString());
  const { clientSecret } = await ask("AddSecret", { userId });
  return { userId, username, keyId, privateKey: createPrivateKey(key), secret: clientSecret as string };
}

export type AssertionChanges = JWTPayload & { kid?: string; alg?: string; by?: KeyObject };

/** An assertion as the account itself would sign it, but for the changes. */
export function assertionOf(
  account: Pick<ServiceAccount, "userId" | "keyId" | "privateKey">,
  audience: string,
  { kid = account.keyId, alg = "RS256", by = account.privateKey, ...changes }: AssertionChanges = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: account.userId, sub: account.userId, aud: audience, iat: now, exp: now + 300 };
  return new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg, kid }).sign(by);
}

export type TokenAnswer = {
  status: number;
  headers: Headers;
  body: Partial<Record<"access_token" | "token_type" | "error" | "error_description", string>> & {
    expires_in?: number;
  };
};

/** Sends a form to the token endpoint. */
export async function post(
  url: string,
  form: Record<string, string> | [string, string][],
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const answer = await fetch(`${url}/oauth/v2/token`, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as TokenAnswer["body"],
  };
}

export const byAssertion = (url: string, assertion: string) =>
  post(url, { grant_type: JWT_BEARER, assertion });

export const bySecret = (url: string, clientId: string, clientSecret: string) =>
  post(url, { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret });

/** The access token of a good answer. */
export function tokenOf({ status, body }: TokenAnswer): string {
  expect(body).toMatchObject({ access_token: accessTokenText, token_type: "Bearer" });
  expect(status).toBe(200);
  return body.access_token!;
}

/** What a refusal comes down to. */
export const refusalOf = ({ status, body }: TokenAnswer) => ({ status, error: body.error });

export const invalidGrant = { status: 400, error: "invalid_grant" };
export const invalidClient = { status: 401, error: "invalid_client" };
export const invalidRequest = { status: 400, error: "invalid_request" };

/** That the token speaks for the user, and for nobody else. */
export async function expectGood(
  house: { readonly url: string },
  token: string,
  userId: string,
): Promise<void> {
  const { user } = (await asking(house, { token })("GetUserByID", { userId })) as {
    user: { userId: string };
  };
  expect(user.userId).toBe(userId);
}

export async function expectBad(house: { readonly url: string }, token: string): Promise<void> {
  expect(await refusal(asking(house, { token })("ListUsers"))).toEqual(unauthenticated);
}
