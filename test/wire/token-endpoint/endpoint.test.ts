import http2 from "node:http2";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type House, startHouse } from "../../support/fixtures.ts";
import { startTestServer } from "../../support/test-server.ts";
import { asking } from "../users/wire.ts";
import {
  assertionOf,
  byAssertion,
  bySecret,
  invalidClient,
  invalidGrant,
  invalidRequest,
  JWT_BEARER,
  newServiceAccount,
  post,
  refusalOf,
  type ServiceAccount,
  tokenOf,
} from "./service-accounts.ts";

describe("the token endpoint", () => {
  const lines: string[] = [];
  let house: House;
  let bot: ServiceAccount;
  beforeAll(async () => {
    const sink = new Writable({
      write: (chunk, _, done) => {
        lines.push(String(chunk));
        done();
      },
    });
    house = await startHouse("pglite", { server: { logger: pino({ level: "trace" }, sink) } });
    bot = await newServiceAccount(asking(house, house.cast.owner), house.cast.home.id);
  });
  afterAll(() => house.close());

  const good = () => ({
    grant_type: "client_credentials",
    client_id: bot.userId,
    client_secret: bot.secret,
  });
  const send = (init: RequestInit) => fetch(`${house.url}/oauth/v2/token`, init);

  test.each(["GET", "PUT", "DELETE", "PATCH", "HEAD"])("takes no %s", async (method) => {
    const answer = await send({ method, headers: { authorization: "Basic eA==" } });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("POST");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("takes nothing from the query", async () => {
    const query = new URLSearchParams(good());
    const answer = await fetch(`${house.url}/oauth/v2/token?${query}`, {
      method: "POST",
      body: new URLSearchParams(),
    });
    expect(await answer.json()).toMatchObject({ error: "invalid_request" });
  });

  test.each([
    ["JSON", "application/json", JSON.stringify({ grant_type: "client_credentials" })],
    ["nothing named", "", "grant_type=client_credentials"],
    ["a form with files", "multipart/form-data; boundary=x", "--x--"],
    ["a lookalike", "application/x-www-form-urlencoded-not", "grant_type=client_credentials"],
  ])("takes a form only, and not %s", async (_, type, body) => {
    const answer = await send({ method: "POST", headers: { "content-type": type }, body: Buffer.from(body) });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: "invalid_request",
      error_description: "the body must be application/x-www-form-urlencoded",
    });
  });

  test("takes a form of any charset name and letter case", async () => {
    const answer = await send({
      method: "POST",
      headers: { "content-type": "Application/X-WWW-Form-Urlencoded ; charset=UTF-8" },
      body: new URLSearchParams(good()).toString(),
    });
    expect(answer.status).toBe(200);
  });

  test.each<[string, Record<string, string>, { status: number; error: string }]>([
    ["no grant type", {}, invalidRequest],
    ["an empty grant type", { grant_type: "" }, invalidRequest],
    ["a grant type nobody knows", { grant_type: "magic" }, { status: 400, error: "unsupported_grant_type" }],
    [
      "a grant type we do not serve",
      { grant_type: "authorization_code", code: "x" },
      { status: 400, error: "unsupported_grant_type" },
    ],
    [
      "the password grant",
      { grant_type: "password", username: "a", password: "b" },
      { status: 400, error: "unsupported_grant_type" },
    ],
    ["no assertion", { grant_type: JWT_BEARER }, invalidRequest],
    ["an empty assertion", { grant_type: JWT_BEARER, assertion: "" }, invalidRequest],
    ["any text as assertion", { grant_type: JWT_BEARER, assertion: "x" }, invalidGrant],
    ["a secret of nobody", { grant_type: "client_credentials", client_secret: "x" }, invalidRequest],
    [
      "an assertion to be the client",
      { grant_type: "client_credentials", client_assertion: "x" },
      invalidClient,
    ],
  ])("refuses %s", async (_, form, expected) => {
    const answer = await post(house.url, form);
    expect(refusalOf(answer)).toEqual(expected);
    // RFC 6749 §5.2: these characters and no others.
    expect(answer.body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  });

  test.each(["grant_type", "client_id", "client_secret", "assertion"])("takes %s once", async (name) => {
    const form = [...Object.entries({ ...good(), assertion: "x" }), [name, "again"]] as [string, string][];
    const answer = await post(house.url, form);
    expect(refusalOf(answer)).toEqual(invalidRequest);
    expect(answer.body.error_description).toBe(`${name} is given more than once`);
  });

  test("takes a client's word one way only", async () => {
    const authorization = `Basic ${Buffer.from(`${bot.userId}:${bot.secret}`).toString("base64")}`;
    expect(refusalOf(await post(house.url, good(), { authorization }))).toEqual(invalidRequest);
  });

  test("ignores what it does not know, scopes among it", async () => {
    const scope = "openid urn:zitadel:iam:org:project:id:zitadel:aud";
    const { body } = await post(house.url, { ...good(), scope, resource: "x" });
    expect(Object.keys(body).sort()).toEqual(["access_token", "expires_in", "token_type"]);
  });

  test("refuses a body no form needs", async () => {
    const answer = await post(house.url, { ...good(), padding: "x".repeat(65_536) });
    expect(refusalOf(answer)).toEqual({ status: 413, error: "invalid_request" });
    tokenOf(await bySecret(house.url, bot.userId, bot.secret));
  });

  test("answers browsers of any origin, as everything else here does", async () => {
    const origin = "https://app.example";
    const answer = await post(house.url, good(), { origin });
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    const preflight = await send({
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
  });

  test("answers over HTTP/2, where the host has another name", async () => {
    const session = http2.connect(house.url);
    try {
      const assertion = await assertionOf(bot, house.url);
      const stream = session.request({
        ":method": "POST",
        ":path": "/oauth/v2/token",
        "content-type": "application/x-www-form-urlencoded",
      });
      stream.end(new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString());
      const status = await new Promise((resolve, reject) => {
        stream.on("response", (headers) => resolve(headers[":status"]));
        stream.on("error", reject);
      });
      const chunks = await stream.toArray();
      expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ token_type: "Bearer" });
      expect(status).toBe(200);
    } finally {
      session.close();
    }
  });

  test("logs that it was asked and what came of it, and no secret", async () => {
    const assertion = await assertionOf(bot, house.url);
    const secrets = [
      assertion,
      bot.secret,
      tokenOf(await byAssertion(house.url, assertion)),
      tokenOf(await bySecret(house.url, bot.userId, bot.secret)),
    ];
    await bySecret(house.url, bot.userId, `${bot.secret}x`);
    await byAssertion(house.url, `${assertion}x`);
    const calls = lines
      .map((line) => JSON.parse(line))
      .filter(({ method }) => method === "oauth/v2/token")
      .slice(-4);
    expect(calls.map(({ msg, code }) => [msg, code])).toEqual([
      ["call", "ok"],
      ["call", "ok"],
      ["call", "invalid_client"],
      ["call", "invalid_grant"],
    ]);
    expect(calls.every(({ requestId, durationMs }) => requestId && durationMs > 0)).toBe(true);
    const log = lines.join("");
    for (const secret of secrets) expect(log.includes(secret)).toBe(false);
  });

  test("names the request on every answer, so that its log line can be found", async () => {
    for (const answer of [await post(house.url, good()), await post(house.url, {})])
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("the token endpoint of a server with a public URL", () => {
  test("goes by that name, and not by the one it is called", async () => {
    const publicUrl = "https://auth.example.com";
    const server = await startTestServer("pglite", { config: { publicUrl } });
    try {
      const ask = asking(server, { token: server.adminToken });
      const { result } = (await ask("ListOrganizations")) as { result: { id: string }[] };
      const bot = await newServiceAccount(ask, result[0]!.id);
      for (const audience of [publicUrl, `${publicUrl}/`, `${publicUrl}/oauth/v2/token`])
        tokenOf(await byAssertion(server.url, await assertionOf(bot, audience)));
      for (const audience of [server.url, `${server.url}/oauth/v2/token`, "http://auth.example.com"])
        expect(refusalOf(await byAssertion(server.url, await assertionOf(bot, audience)))).toEqual(
          invalidGrant,
        );
    } finally {
      await server.close();
    }
  });
});
