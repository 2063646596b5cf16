import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A provider that answers what it is told to, path by path; well-behaved where it is told nothing. */
export type RogueProvider = {
  issuer: string;
  /** Replaces the answer of a path. */
  answers: Map<string, Answer>;
  /** Method and path of every request so far. */
  requests: string[];
  /** An ID token as it should be, but for the given claims. */
  idToken(claims?: JWTPayload, key?: CryptoKey): Promise<string>;
  /** Lets the token endpoint answer with this ID token. */
  issue(idToken: Promise<string>): Promise<void>;
  close(): void;
};

export const CLIENT = { id: "client", secret: "the client's secret" };
export const NONCE = "a-nonce";

/** Of every provider of a file: making a key takes longer than a test. */
const keys = generateKeyPair("RS256");

export async function startRogueProvider(): Promise<RogueProvider> {
  const { privateKey, publicKey } = await keys;
  const jwk = { ...(await exportJWK(publicKey)), kid: "1", alg: "RS256", use: "sig" };
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    requests.push(`${request.method} ${pathname}`);
    const answer = answers.get(pathname);
    if (answer) void answer(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const answers = new Map<string, Answer>([
    ["/.well-known/openid-configuration", json(metadata(issuer))],
    ["/jwks", json({ keys: [jwk] })],
    ["/userinfo", json({ sub: "subject", email: "ada@example.com" })],
  ]);
  const idToken = (claims: JWTPayload = {}, key = privateKey) =>
    new SignJWT({ iss: issuer, aud: CLIENT.id, sub: "subject", nonce: NONCE, ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "1" })
      .setIssuedAt(claims.iat)
      .setExpirationTime(claims.exp ?? "5m")
      .sign(key);
  const issue = async (token: Promise<string>) => {
    answers.set("/token", json({ access_token: "at", token_type: "Bearer", id_token: await token }));
  };
  await issue(idToken());
  return {
    issuer,
    answers,
    requests,
    idToken,
    issue,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const metadata = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  userinfo_endpoint: `${issuer}/userinfo`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
});

/** An answer in JSON. */
export const json =
  (body: unknown, status = 200): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
