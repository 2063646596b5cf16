import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { type ClientMetadata, type JWK, Provider } from "oidc-provider";
import { openIdProviderStore } from "./openid-provider-store.ts";

/** Seconds; longer than a test takes. */
const ttl = {
  AccessToken: 600,
  AuthorizationCode: 60,
  Grant: 600,
  IdToken: 600,
  Interaction: 600,
  RefreshToken: 600,
  Session: 600,
};

/** Somebody with an account at the provider. */
export type Account = {
  /** What identifies the account: `sub` of its tokens, and what one signs in with. */
  login: string;
  password: string;
  /** Claims of OpenID Connect, for ID token and user info. */
  claims: Record<string, unknown>;
  /** What the user endpoint of plain OAuth 2.0 answers. */
  profile: Record<string, unknown>;
};

export type Client = {
  id: string;
  secret: string;
  redirectUris: string[];
  /** The one way the token endpoint takes the secret. */
  authentication?: "client_secret_basic" | "client_secret_post";
};

export type OpenIdProvider = {
  issuer: string;
  /** For whoever treats it as a plain OAuth 2.0 provider. */
  endpoints: { authorization: string; token: string; user: string };
  /** How often each path was asked for, without the parameters. */
  requests: Map<string, number>;
  /** What each request to the token endpoint said, the client's secret aside if it came in the header. */
  exchanges: Record<string, unknown>[];
  close(): Promise<void>;
};

/**
 * A real OpenID provider in this process, on a port of its own: discovery, keys, a page to sign in on, a page to
 * consent on, tokens, user info; and `/api/user` for those who speak plain OAuth 2.0.
 */
export async function startOpenIdProvider({
  accounts,
  clients,
}: {
  accounts: readonly Account[];
  clients: readonly Client[];
}): Promise<OpenIdProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const byLogin = new Map(accounts.map((account) => [account.login, account]));
  const provider = new Provider(issuer, {
    clients: clients.map(clientMetadata),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: "1", use: "sig", alg: "RS256" } as JWK] },
    cookies: { keys: ["a test signs with anything"] },
    claims: {
      openid: ["sub"],
      profile: ["name", "given_name", "family_name", "nickname", "preferred_username", "locale", "picture"],
      email: ["email", "email_verified"],
      phone: ["phone_number", "phone_number_verified"],
    },
    scopes: ["openid", "offline_access", "profile", "email", "phone", "read_user"],
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
    findAccount: (_, login) => {
      const account = byLogin.get(login);
      return account && { accountId: login, claims: () => ({ sub: login, ...account.claims }) };
    },
    // A client that forgets it gets no code.
    pkce: { required: () => true },
    adapter: openIdProviderStore(),
    ttl,
  });

  const requests = new Map<string, number>();
  const exchanges: OpenIdProvider["exchanges"] = [];
  provider.use(async (context, next) => {
    await next();
    if (context.oidc?.route === "token") exchanges.push({ ...context.oidc.body });
  });
  const callback = provider.callback();
  server.on("request", (request, response) => {
    const { pathname } = new URL(request.url ?? "/", issuer);
    requests.set(pathname, (requests.get(pathname) ?? 0) + 1);
    if (pathname === "/api/user") void answerUser(provider, byLogin, request, response);
    else if (pathname.startsWith("/interaction/")) void interact(provider, byLogin, request, response);
    else void callback(request, response);
  });
  return {
    issuer,
    endpoints: { authorization: `${issuer}/auth`, token: `${issuer}/token`, user: `${issuer}/api/user` },
    requests,
    exchanges,
    close: () => closed(server),
  };
}

function clientMetadata({ id, secret, redirectUris, authentication }: Client): ClientMetadata {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: redirectUris,
    token_endpoint_auth_method: authentication ?? "client_secret_basic",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
}

async function closed(server: Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}

/** The two pages of a sign-in: who are you, and may they know. */
async function interact(
  provider: Provider,
  accounts: ReadonlyMap<string, Account>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const { prompt, params, session } = interaction;
  const form = request.method === "POST" ? await formOf(request) : undefined;
  const answer = (result: Parameters<typeof provider.interactionFinished>[2]) =>
    provider.interactionFinished(request, response, result, {
      mergeWithLastSubmission: prompt.name !== "login",
    });

  if (form?.get("choice") === "deny") {
    return answer({ error: "access_denied", error_description: "The user said no." });
  }
  if (prompt.name === "login") {
    const account = accounts.get(form?.get("login") ?? "");
    if (account !== undefined && account.password === form?.get("password")) {
      return answer({ login: { accountId: account.login } });
    }
    return sendPage(response, "Sign in", loginFields(String(params.login_hint ?? ""), form !== undefined));
  }
  if (form === undefined) return sendPage(response, "Consent", `<p>${escaped(String(params.client_id))}</p>`);
  const grant = interaction.grantId
    ? await provider.Grant.find(interaction.grantId)
    : new provider.Grant({ accountId: session!.accountId, clientId: String(params.client_id) });
  grant!.addOIDCScope(String(params.scope));
  return answer({ consent: { grantId: await grant!.save() } });
}

const loginFields = (hint: string, isSecondTry: boolean): string =>
  `${isSecondTry ? "<p>Wrong name or password.</p>" : ""}
  <label>Name <input name="login" value="${escaped(hint)}"></label>
  <label>Password <input name="password" type="password"></label>`;

function sendPage(response: ServerResponse, title: string, content: string): void {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(`<!doctype html><title>${title}</title><form method="post">${content}
  <button name="choice" value="allow">Continue</button>
  <button name="choice" value="deny">Cancel</button></form>`);
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The endpoint plain OAuth 2.0 leaves to each provider: whose token is this? */
async function answerUser(
  provider: Provider,
  accounts: ReadonlyMap<string, Account>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, token = ""] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  const accessToken = await provider.AccessToken.find(token);
  const account = accounts.get(accessToken?.accountId ?? "");
  response.writeHead(account ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(account ? account.profile : { message: "Bad credentials" }));
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/** Where the provider sends the browser in the end: an address, and the form's fields if it is posted there. */
export type Arrival = { url: URL; form?: URLSearchParams };

export type WalkOptions = {
  /** Says no where it is asked to sign in. */
  deny?: boolean;
  /** What the browser has been given; the provider's own are added. */
  cookies?: Map<string, string>;
};

/** Goes through the provider's pages as a browser would, without one. */
export async function walkThrough(
  authorizationUrl: string,
  { login, password }: Pick<Account, "login" | "password">,
  { deny = false, cookies = new Map() }: WalkOptions = {},
): Promise<Arrival> {
  const home = new URL(authorizationUrl).origin;
  let next: { url: URL; form?: URLSearchParams } = { url: new URL(authorizationUrl) };
  for (let steps = 0; steps < 20; steps++) {
    const response = await fetch(next.url, {
      method: next.form ? "POST" : "GET",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      redirect: "manual",
      ...(next.form ? { body: next.form } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    const page = await response.text();
    const location = response.headers.get("location");
    if (location !== null) next = { url: new URL(location, next.url) };
    else if (page.includes('name="login"')) {
      next.form = new URLSearchParams({ login, password, choice: deny ? "deny" : "allow" });
    } else if (page.includes("<title>Consent")) next.form = new URLSearchParams({ choice: "allow" });
    else next = postedForm(page) ?? fail(`a page nobody knows: ${response.status} ${page}`);
    if (next.url.origin !== home) return next;
  }
  return fail("the provider sends the browser round in circles");
}

/** The page of the response mode `form_post`: a form that submits itself. */
function postedForm(page: string): Required<Arrival> | undefined {
  const [, action] = /action="([^"]+)"/.exec(page) ?? [];
  if (action === undefined) return undefined;
  const form = new URLSearchParams();
  for (const [, name, value] of page.matchAll(/name="([^"]+)" value="([^"]*)"/g)) form.append(name!, value!);
  return { url: new URL(action), form };
}

function fail(message: string): never {
  throw new Error(message);
}
