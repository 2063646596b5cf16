import { generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { genericOAuth, genericOidc, gitHub } from "../../../src/idp/protocol/presets.ts";
import { ProviderClient } from "../../../src/idp/protocol/provider-client.ts";
import { ProviderFailure } from "../../../src/idp/protocol/provider-failure.ts";
import { CLIENT, json, metadata, NONCE, type RogueProvider, startRogueProvider } from "./rogue-provider.ts";

const redirectUri = "http://127.0.0.1:1/idps/callback";
const request = { state: "state", nonce: NONCE, codeVerifier: "v".repeat(43), redirectUri };
const parameters = () => new URLSearchParams({ code: "a-code", state: "state" });
const discovery = "/.well-known/openid-configuration";

let rogue: RogueProvider;
let client: ProviderClient;
beforeEach(async () => {
  rogue = await startRogueProvider();
  client = new ProviderClient({ allowInsecure: false, timeoutMs: 5000, clock: () => new Date() });
});
afterEach(() => rogue.close());

const settings = { clientId: CLIENT.id, clientSecret: CLIENT.secret, scopes: [] };
const oidc = (idTokenOnly = false) => genericOidc({ ...settings, issuer: rogue.issuer, idTokenOnly });
const oauth = () =>
  genericOAuth({
    ...settings,
    authorizationEndpoint: `${rogue.issuer}/authorize`,
    tokenEndpoint: `${rogue.issuer}/token`,
    userEndpoint: `${rogue.issuer}/userinfo`,
    idAttribute: "sub",
  });
const exchange = (provider = oidc()) => client.exchange(provider, parameters(), request);

/** The error a call fails with, once it is sure that nothing secret is in any text of it. */
async function errorOf(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ProviderFailure);
  const { error, message, stack, cause } = thrown as ProviderFailure;
  expect(cause).toBeUndefined();
  expect(`${error} ${message} ${stack}`).not.toMatch(/a-code|the client's secret|eyJ/);
  return error;
}

test("the well-behaved answer is believed, or the refusals below would prove nothing", async () => {
  const { user } = await exchange();
  expect(user).toMatchObject({ id: "subject", email: "ada@example.com", emailVerified: false });
});

describe("an ID token is refused", () => {
  test.each([
    ["of another issuer", { iss: "https://elsewhere.example.com" }],
    ["for another client", { aud: "somebody else" }],
    ["for several clients, authorized for another", { aud: [CLIENT.id, "other"], azp: "other" }],
    ["that has expired", { exp: Math.floor(Date.now() / 1000) - 120 }],
    ["that is not valid yet", { nbf: Math.floor(Date.now() / 1000) + 3600 }],
    ["with another nonce", { nonce: "another" }],
    ["without a nonce", { nonce: undefined }],
  ])("%s", async (_, claims) => {
    await rogue.issue(rogue.idToken(claims));
    // A claim that is not there at all makes the token malformed rather than wrong.
    expect(await errorOf(exchange())).toMatch(/^(?:invalid_id_token|server_error)$/);
  });

  test("signed with another key", async () => {
    const { privateKey } = await generateKeyPair("RS256");
    await rogue.issue(rogue.idToken({}, privateKey));
    expect(await errorOf(exchange())).toBe("invalid_id_token");
  });

  test("that is not signed at all", async () => {
    const claims = { iss: rogue.issuer, aud: CLIENT.id, sub: "subject", nonce: NONCE };
    const unsigned = new UnsecuredJWT(claims).setIssuedAt().setExpirationTime("5m").encode();
    await rogue.issue(Promise.resolve(unsigned));
    expect(await errorOf(exchange())).toMatch(/^(?:invalid_id_token|server_error)$/);
  });

  test("signed with the client's secret instead of the provider's key", async () => {
    rogue.answers.set(
      discovery,
      json({ ...metadata(rogue.issuer), id_token_signing_alg_values_supported: ["RS256", "HS256"] }),
    );
    const symmetric = new SignJWT({ iss: rogue.issuer, aud: CLIENT.id, sub: "subject", nonce: NONCE })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(new TextEncoder().encode(CLIENT.secret));
    await rogue.issue(symmetric);
    expect(await errorOf(exchange())).toBe("invalid_id_token");
  });

  test("that is missing", async () => {
    rogue.answers.set("/token", json({ access_token: "at", token_type: "Bearer" }));
    expect(await errorOf(exchange())).toBe("server_error");
  });
});

test("user info about another subject is refused", async () => {
  rogue.answers.set("/userinfo", json({ sub: "somebody else" }));
  expect(await errorOf(exchange())).toBe("server_error");
});

describe("a provider is not believed", () => {
  test("that claims to be another issuer", async () => {
    rogue.answers.set(discovery, json(metadata("https://elsewhere.example.com")));
    expect(await errorOf(client.authorizationUrl(oidc(), request))).toBe("server_error");
  });

  test.each(["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])(
    "whose %s is plain HTTP on another machine",
    async (endpoint) => {
      const elsewhere = { [endpoint]: "http://192.0.2.1/endpoint" };
      rogue.answers.set(discovery, json({ ...metadata(rogue.issuer), ...elsewhere }));
      const calls = client.authorizationUrl(oidc(), request).then(() => exchange());
      expect(await errorOf(calls)).toBe("server_error");
    },
  );

  test("whose issuer is plain HTTP on another machine, unless the operator says so", async () => {
    const provider = { ...oidc(), issuer: "http://192.0.2.1" };
    expect(await errorOf(client.authorizationUrl(provider, request))).toBe("server_error");
    const insecure = new ProviderClient({ allowInsecure: true, timeoutMs: 50, clock: () => new Date() });
    expect(await errorOf(insecure.authorizationUrl(provider, request))).toBe("temporarily_unavailable");
  });

  test("whose issuer is the address of a document", async () => {
    const provider = { ...oidc(), issuer: `${rogue.issuer}${discovery}` };
    expect(await errorOf(client.authorizationUrl(provider, request))).toBe("server_error");
  });

  test("that sends us elsewhere", async () => {
    rogue.answers.set(discovery, (_, response) => {
      response.writeHead(302, { location: `${rogue.issuer}/internal` }).end();
    });
    rogue.answers.set("/internal", json(metadata(rogue.issuer)));
    expect(await errorOf(client.authorizationUrl(oidc(), request))).toBe("server_error");
    expect(rogue.requests).not.toContain("GET /internal");
  });

  test.each(["code", "state"])("that sends two of %s", async (name) => {
    const doubled = parameters();
    doubled.append(name, "another");
    expect(await errorOf(client.exchange(oidc(), doubled, request))).toBe("server_error");
  });

  test("that sends no code", async () => {
    const nothing = new URLSearchParams({ state: "state" });
    expect(await errorOf(client.exchange(oidc(), nothing, request))).toBe("server_error");
  });
});

describe("a provider that does not answer", () => {
  const patience = 150;
  const hangs = () => {};
  const dribbles = (_: unknown, response: import("node:http").ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write("{");
  };
  beforeEach(() => {
    client = new ProviderClient({ allowInsecure: false, timeoutMs: patience, clock: () => new Date() });
  });

  test.each([
    ["says nothing", hangs],
    ["stops in the middle", dribbles],
  ])("is given up after a while when it %s", async (_, answer) => {
    rogue.answers.set("/token", answer);
    const since = performance.now();
    expect(await errorOf(exchange())).toBe("temporarily_unavailable");
    expect(performance.now() - since).toBeGreaterThanOrEqual(patience - 5);
    rogue.answers.set(discovery, answer);
    const fresh = new ProviderClient({ allowInsecure: false, timeoutMs: patience, clock: () => new Date() });
    expect(await errorOf(fresh.authorizationUrl(oidc(), request))).toBe("temporarily_unavailable");
  });

  test("is named as not reached when nobody is there", async () => {
    rogue.close();
    expect(await errorOf(client.authorizationUrl(oidc(), request))).toBe("temporarily_unavailable");
    expect(await errorOf(exchange(oidc()))).toBe("temporarily_unavailable");
    expect(await errorOf(client.exchange(oauth(), parameters(), request))).toBe("temporarily_unavailable");
  });
});

describe("nonsense is a failure like any other", () => {
  const deep = `{"sub":"x","a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  test.each([
    ["text", "text/plain", "hello"],
    ["HTML", "text/html", "<!doctype html>"],
    ["broken JSON", "application/json", "{"],
    ["a list", "application/json", "[1]"],
    ["a number", "application/json", "1"],
    ["null", "application/json", "null"],
    ["nothing", "application/json", ""],
    ["JSON without an end in depth", "application/json", deep],
  ])("%s from any endpoint", async (_, contentType, body) => {
    const nonsense = (_: unknown, response: import("node:http").ServerResponse) => {
      response.writeHead(200, { "content-type": contentType });
      response.end(body);
    };
    const good = new Map(rogue.answers);
    for (const path of [discovery, "/jwks", "/token", "/userinfo"]) {
      rogue.answers.set(path, nonsense);
      const fresh = new ProviderClient({ allowInsecure: false, timeoutMs: 5000, clock: () => new Date() });
      expect(await errorOf(fresh.exchange(oidc(), parameters(), request))).toBe("server_error");
      if (path === "/token" || path === "/userinfo")
        expect(await errorOf(fresh.exchange(oauth(), parameters(), request))).toBe("server_error");
      rogue.answers.set(path, good.get(path)!);
    }
    await exchange();
  });

  test("an answer that would do if it were not so long", async () => {
    rogue.answers.set("/userinfo", json({ sub: "subject", padding: "x".repeat(500 * 1024) }));
    await exchange();
    rogue.answers.set("/userinfo", json({ sub: "subject", padding: "x".repeat(512 * 1024) }));
    expect(await errorOf(exchange())).toBe("server_error");
  });

  test("an answer without an end, which is not waited for", async () => {
    const hungUp = new Promise<void>((resolve) => {
      rogue.answers.set("/userinfo", (_, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const more = () => {
          while (response.write("x".repeat(65_536)));
          response.once("drain", more);
        };
        response.once("close", resolve);
        more();
      });
    });
    expect(await errorOf(exchange())).toBe("server_error");
    await hungUp;
  });

  test("an error with anything in it", async () => {
    const error = { error: "bad\ncode", error_description: `<script>\u0000\n"${"x".repeat(5000)}` };
    rogue.answers.set("/token", json(error, 400));
    const refused = await exchange().catch((thrown: ProviderFailure) => thrown);
    expect(refused).toMatchObject({ error: "server_error" });
    expect((refused as ProviderFailure).message).toMatch(/^[\x20-\x7e]{1,200}$/);
  });

  test.each([500, 503])("status %i", async (status) => {
    rogue.answers.set("/token", json({}, status));
    expect(await errorOf(exchange())).toBe("temporarily_unavailable");
  });
});

describe("a provider like GitHub", () => {
  const gitHubLike = () => ({
    ...gitHub(settings),
    authorizationEndpoint: `${rogue.issuer}/authorize`,
    tokenEndpoint: `${rogue.issuer}/token`,
    userEndpoint: `${rogue.issuer}/user`,
    emailsEndpoint: `${rogue.issuer}/emails`,
  });
  const octocat = { id: 583231, login: "octocat", name: null, email: null, avatar_url: "https://a/b.png" };
  const signIn = () => client.exchange(gitHubLike(), parameters(), request);
  beforeEach(() => {
    rogue.answers.set("/token", json({ access_token: "at", token_type: "bearer", scope: "user:email" }));
    rogue.answers.set("/user", json(octocat));
    rogue.answers.set(
      "/emails",
      json([
        { email: "old@example.com", primary: false, verified: true },
        { email: "octocat@example.com", primary: true, verified: true },
      ]),
    );
  });

  test("tells the primary address and whether it is verified", async () => {
    const { user } = await signIn();
    expect(user).toMatchObject({
      id: "583231",
      userName: "octocat",
      email: "octocat@example.com",
      emailVerified: true,
      avatarUrl: "https://a/b.png",
    });
    expect(user.displayName).toBeUndefined();
  });

  test("may answer an error with status 200, which is one all the same", async () => {
    rogue.answers.set("/token", json({ error: "bad_verification_code", error_description: "Expired." }));
    expect(await errorOf(signIn())).toBe("bad_verification_code");
  });

  test("suggests an account under its own parameter", async () => {
    const url = new URL(await client.authorizationUrl(gitHubLike(), { ...request, loginHint: "octocat" }));
    expect(url.searchParams.get("login")).toBe("octocat");
    expect(url.searchParams.has("login_hint")).toBe(false);
  });
});

test("a client refused in one way of sending its secret is tried in the other", async () => {
  const given = await rogue.idToken();
  const seen: string[] = [];
  rogue.answers.set("/token", async (incoming, response) => {
    let body = "";
    for await (const chunk of incoming) body += chunk;
    const sent = new URLSearchParams(body);
    seen.push(sent.has("client_secret") ? "post" : "basic");
    const isBasic = incoming.headers.authorization?.startsWith("Basic ");
    return isBasic
      ? json({ access_token: "at", token_type: "Bearer", id_token: given })(incoming, response)
      : json({ error: "invalid_client" }, 401)(incoming, response);
  });
  expect((await exchange()).user.id).toBe("subject");
  expect(seen).toEqual(["post", "basic"]);
});
