import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { genericOAuth, genericOidc } from "../../../src/idp/protocol/presets.ts";
import type { Provider } from "../../../src/idp/protocol/provider.ts";
import { ProviderClient } from "../../../src/idp/protocol/provider-client.ts";
import { ProviderFailure } from "../../../src/idp/protocol/provider-failure.ts";
import type { AuthorizationRequest } from "../../../src/idp/protocol/sign-in.ts";
import {
  type Account,
  type OpenIdProvider,
  startOpenIdProvider,
  walkThrough,
} from "../../support/openid-provider.ts";

const redirectUri = "http://127.0.0.1:1/idps/callback";
const ada: Account = {
  login: "ada",
  password: "analytical engine",
  claims: {
    name: "Ada Lovelace",
    given_name: "Ada",
    family_name: "Lovelace",
    preferred_username: "countess",
    locale: "en-GB",
    email: "ada@example.com",
    email_verified: true,
    phone_number: "+441234567890",
  },
  profile: { id: 1815, login: "ada", name: "Ada Lovelace", email: "ada@example.com" },
};
const secret = "a secret & a half: 100%";

let openIdProvider: OpenIdProvider;
beforeAll(async () => {
  openIdProvider = await startOpenIdProvider({
    accounts: [ada],
    clients: [
      { id: "basic", secret, redirectUris: [redirectUri], authentication: "client_secret_basic" },
      { id: "post", secret, redirectUris: [redirectUri], authentication: "client_secret_post" },
    ],
  });
});
afterAll(() => openIdProvider.close());

const client = new ProviderClient({ allowInsecure: false, clock: () => new Date() });
const request = (changes: Partial<AuthorizationRequest> = {}): AuthorizationRequest => ({
  state: "some-state",
  nonce: "some-nonce",
  codeVerifier: "v".repeat(43),
  redirectUri,
  ...changes,
});
const oidc = (clientId = "basic", idTokenOnly = false) =>
  genericOidc({
    issuer: openIdProvider.issuer,
    clientId,
    clientSecret: secret,
    scopes: ["openid", "profile", "email", "phone", "offline_access"],
    idTokenOnly,
  });
const oauth = (clientId = "basic", scopes = ["read_user"]) =>
  genericOAuth({
    clientId,
    clientSecret: secret,
    scopes,
    authorizationEndpoint: openIdProvider.endpoints.authorization,
    tokenEndpoint: openIdProvider.endpoints.token,
    userEndpoint: openIdProvider.endpoints.user,
    idAttribute: "id",
  });

/** Signs in at the provider; what it sends back. */
async function callbackOf(provider: Provider, sent = request(), options?: { deny: boolean }) {
  const { url } = await walkThrough(await client.authorizationUrl(provider, sent), ada, options);
  expect(url.origin + url.pathname).toBe(redirectUri);
  return url.searchParams;
}

async function failure(promise: Promise<unknown>): Promise<{ error: string; description: string }> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ProviderFailure);
  const { error, message } = thrown as ProviderFailure;
  return { error, description: message };
}

describe("signing in at an OpenID provider", () => {
  test.each(["basic", "post"])("brings tokens and the user, the secret sent as %s", async (clientId) => {
    const provider = oidc(clientId);
    const signIn = await client.exchange(provider, await callbackOf(provider), request());
    expect(signIn).toMatchObject({
      accessToken: expect.stringMatching(/./),
      idToken: expect.stringMatching(/^ey/),
      refreshToken: expect.stringMatching(/./),
      user: {
        id: "ada",
        userName: "countess",
        displayName: "Ada Lovelace",
        givenName: "Ada",
        familyName: "Lovelace",
        email: "ada@example.com",
        emailVerified: true,
        phone: "+441234567890",
        phoneVerified: false,
        language: "en-GB",
        raw: { sub: "ada", preferred_username: "countess" },
      },
    });
  });

  test("takes the user from the ID token alone where it is told to", async () => {
    const before = openIdProvider.requests.get("/me") ?? 0;
    const provider = oidc("basic", true);
    const { user } = await client.exchange(provider, await callbackOf(provider), request());
    expect(user.id).toBe("ada");
    // This provider keeps the profile for its user info endpoint, which nobody asked.
    expect(user.displayName).toBeUndefined();
    expect(openIdProvider.requests.get("/me") ?? 0).toBe(before);
  });

  test("asks with PKCE, nonce, state and the login hint", async () => {
    const url = new URL(await client.authorizationUrl(oidc(), request({ loginHint: "ada" })));
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: "code",
      client_id: "basic",
      redirect_uri: redirectUri,
      state: "some-state",
      nonce: "some-nonce",
      login_hint: "ada",
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(url.searchParams.get("code_challenge")).not.toBe(request().codeVerifier);
  });

  test("takes the answer as a form where the provider posts it", async () => {
    const provider: Provider = { ...oidc(), responseMode: "form_post" };
    const { url, form } = await walkThrough(await client.authorizationUrl(provider, request()), ada);
    expect(url.search).toBe("");
    form!.set("user", JSON.stringify({ name: { firstName: "Augusta" }, email: "evil@example.com" }));
    const { user } = await client.exchange({ ...provider, idTokenOnly: true }, form!, request());
    // The name is what the browser says; an address has to come from the provider.
    expect(user).toMatchObject({ id: "ada", givenName: "Augusta", emailVerified: false });
    expect(user.email).toBeUndefined();
  });

  test("takes no name from the browser where the provider does not send it that way", async () => {
    const provider = oidc("basic", true);
    const parameters = await callbackOf(provider);
    parameters.set("user", JSON.stringify({ name: { firstName: "Eve" } }));
    const { user } = await client.exchange(provider, parameters, request());
    expect(user.givenName).toBeUndefined();
  });

  test("a code works once", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider);
    await client.exchange(provider, parameters, request());
    expect(await failure(client.exchange(provider, parameters, request()))).toMatchObject({
      error: "invalid_grant",
    });
  });

  test("a code is of no use without the verifier it was asked for with", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider);
    const stolen = client.exchange(provider, parameters, request({ codeVerifier: "w".repeat(43) }));
    expect(await failure(stolen)).toMatchObject({ error: "invalid_grant" });
  });

  test("an ID token made for another request is refused", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider);
    const other = client.exchange(provider, parameters, request({ nonce: "another" }));
    expect(await failure(other)).toMatchObject({ error: "invalid_id_token" });
  });

  test("an answer to another request is refused before the code is spent", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider);
    const asked = openIdProvider.requests.get("/token");
    expect(await failure(client.exchange(provider, parameters, request({ state: "another" })))).toMatchObject(
      {
        error: "server_error",
      },
    );
    expect(openIdProvider.requests.get("/token")).toBe(asked);
  });

  test("an answer of another issuer is refused", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider);
    parameters.set("iss", "https://elsewhere.example.com");
    expect(await failure(client.exchange(provider, parameters, request()))).toMatchObject({
      error: "server_error",
    });
  });

  test("who says no is told apart, in the provider's words", async () => {
    const provider = oidc();
    const parameters = await callbackOf(provider, request(), { deny: true });
    expect(await failure(client.exchange(provider, parameters, request()))).toEqual({
      error: "access_denied",
      description: "The user said no.",
    });
  });

  test("a wrong secret is refused, and not repeated to anybody", async () => {
    const provider: Provider = { ...oidc(), clientSecret: { kind: "shared", secret: "not the secret" } };
    const refused = await failure(client.exchange(provider, await callbackOf(provider), request()));
    expect(refused.error).toBe("invalid_client");
    expect(refused.description).not.toContain("not the secret");
  });

  test("is discovered once, for many sign-ins", async () => {
    const fresh = new ProviderClient({ allowInsecure: false, clock: () => new Date() });
    const counted = () =>
      ["/.well-known/openid-configuration", "/jwks"].map((path) => openIdProvider.requests.get(path) ?? 0);
    const [documents, keys] = counted();
    for (let times = 0; times < 3; times++) {
      const parameters = await callbackOf(oidc());
      await fresh.authorizationUrl(oidc(), request());
      await fresh.exchange(oidc(), parameters, request());
    }
    expect(counted()).toEqual([documents! + 1, keys! + 1]);
  });
});

describe("signing in at a provider of plain OAuth 2.0", () => {
  test.each(["basic", "post"])("brings a token and the user, the secret taken as %s", async (clientId) => {
    const provider = oauth(clientId);
    const sent = request({ loginHint: "ada" });
    const signIn = await client.exchange(provider, await callbackOf(provider, sent), sent);
    expect(signIn).toMatchObject({
      accessToken: expect.stringMatching(/./),
      user: {
        id: "1815",
        userName: "ada",
        displayName: "Ada Lovelace",
        email: "ada@example.com",
        emailVerified: false,
        raw: { id: 1815, login: "ada" },
      },
    });
    expect(signIn).not.toHaveProperty("idToken");
  });

  test("passes on an ID token nobody asked to be checked", async () => {
    const provider = oauth("basic", ["openid", "read_user"]);
    const { idToken } = await client.exchange(provider, await callbackOf(provider), request());
    expect(idToken).toMatch(/^ey/);
  });

  test("asks with PKCE, and without a nonce", async () => {
    const { searchParams } = new URL(await client.authorizationUrl(oauth(), request()));
    expect(searchParams.get("code_challenge_method")).toBe("S256");
    expect(searchParams.get("state")).toBe("some-state");
    expect(searchParams.has("nonce")).toBe(false);
  });

  test("an account without the id attribute is nobody", async () => {
    const provider: Provider = { ...oauth(), claims: { ...oauth().claims, id: ["no_such_attribute"] } };
    expect(await failure(client.exchange(provider, await callbackOf(provider), request()))).toMatchObject({
      error: "server_error",
      description: "the identity provider does not say who signed in",
    });
  });
});
