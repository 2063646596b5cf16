import { createPrivateKey } from "node:crypto";
import { assertionOf, FAR, JWT_BEARER } from "../token-endpoint/service-accounts.ts";
import { PUBLIC_URL, type Stage } from "./stage.ts";

/** A key in PEM: each of its lines, and its bytes. */
export function rememberKey({ secrets }: Stage, pem: string): void {
  const lines = pem.split("\n").filter((line) => line.length === 64);
  if (lines.length === 0) secrets.remember("a private key", pem);
  for (const line of lines) secrets.remember("a line of a private key", line);
  const bytes = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
  secrets.remember("the bytes of a private key", bytes);
}

/** Keys, secrets and tokens of service accounts, and what the token endpoint makes of them. */
export async function walkServiceAccounts(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, secret, secrets } = stage;
  const machine = { organizationId: cast.home.id, machine: { name: "Bot" } };
  const userId = (await ask("user", cast.owner, "CreateUser", machine)).id as string;
  const { keyContent } = await ask("user", cast.owner, "AddKey", { userId, expirationDate: FAR });
  const { key: pem, keyId } = JSON.parse(Buffer.from(keyContent as string, "base64").toString());
  rememberKey(stage, pem);
  const added = await ask("user", cast.owner, "AddSecret", { userId });
  const clientSecret = secret("a client secret", added.clientSecret as string);
  secret("a client secret without its prefix", clientSecret.slice("gatehouse_cs_".length));
  const pat = await ask("user", cast.owner, "AddPersonalAccessToken", { userId, expirationDate: FAR });
  secret("a personal access token", pat.token as string);
  await refused("user", { token: `${pat.token}x` }, "GetUserByID", { userId });
  const badKey = Buffer.from(guess("public key")).toString("base64");
  await refused("user", cast.owner, "AddKey", { userId, expirationDate: FAR, publicKey: badKey });

  const account = { userId, keyId, privateKey: createPrivateKey(pem) };
  const assertion = async (changes = {}) => {
    const jwt = await assertionOf(account, PUBLIC_URL, changes);
    const [, claims, signature] = jwt.split(".");
    secrets.remember("the claims of an assertion", claims!);
    secrets.remember("the signature of an assertion", Buffer.from(signature!, "base64url"));
    return jwt;
  };
  const exchange = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
    const answer = await stage.send("/oauth/v2/token", {
      method: "POST",
      headers,
      body: new URLSearchParams(form),
    });
    return (await answer.json()) as { access_token?: string };
  };
  const basic = (password: string) => ({
    authorization: `Basic ${secret("a Basic credential", Buffer.from(`${userId}:${password}`).toString("base64"))}`,
  });
  const credentials = { grant_type: "client_credentials" };
  const inForm = (password: string) => ({ ...credentials, client_id: userId, client_secret: password });
  const byAssertion = async (changes = {}) => ({
    grant_type: JWT_BEARER,
    assertion: await assertion(changes),
  });
  const good = [
    await exchange(await byAssertion()),
    await exchange(inForm(clientSecret)),
    await exchange(credentials, basic(clientSecret)),
  ];
  for (const { access_token: token } of good) {
    secret("an access token", token!);
    await ask("user", { token: token! }, "GetUserByID", { userId });
    await refused("user", { token: `${token!.slice(0, -2)}AA` }, "GetUserByID", { userId });
    await refused("session", { token: token! }, "CreateSession", {});
  }
  const bad = [
    await exchange(await byAssertion({ aud: "https://elsewhere.example" })),
    await exchange(await byAssertion({ kid: crypto.randomUUID() })),
    await exchange({ grant_type: JWT_BEARER, assertion: guess("assertion") }),
    await exchange(inForm(guess("client secret"))),
    await exchange(credentials, basic(guess("client secret"))),
    await exchange(inForm(clientSecret), basic(clientSecret)),
    await exchange({ ...inForm(clientSecret), grant_type: guess("grant type") }),
    await exchange({ ...(await byAssertion()), client_assertion: await assertion() }),
  ];
  if (bad.some(({ access_token: token }) => token !== undefined)) throw new Error("a token for nothing");
  await ask("user", cast.owner, "ListKeys", {});
  await ask("user", cast.owner, "RemoveSecret", { userId });
  await exchange(inForm(clientSecret));
}
