import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { startOpenIdProvider, walkThrough } from "../../support/openid-provider.ts";
import { protocolsOn } from "../protocols.ts";
import { refusal } from "../settings/wire.ts";
import { details, unauthenticated, uuid } from "../users/wire.ts";
import { ada, arrivedAt, FAILURE_URL, grace, openWalkway, SUCCESS_URL, type Walkway } from "./walk.ts";

const urls = { successUrl: SUCCESS_URL, failureUrl: FAILURE_URL };
const tokenRefused = (id: string) => refused(Code.PermissionDenied, "intent token is invalid", id);

describe.each(engines)("intents on %s", (engine) => {
  let now = new Date();
  let way: Walkway;
  let idpId: string;
  beforeAll(async () => {
    way = await openWalkway(engine, { server: { clock: () => now } });
    idpId = await way.addOidc({ scopes: ["openid", "profile", "email"] });
  });
  afterAll(() => way.close());

  const user = () => way.as(way.cast.nobody, "user");
  const later = async <T>(seconds: number, task: () => Promise<T>): Promise<T> => {
    now = new Date(now.getTime() + seconds * 1000);
    try {
      return await task();
    } finally {
      now = new Date(now.getTime() - seconds * 1000);
    }
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("are started by any caller, who learns where to send the browser", async () => {
      const ask = way.as(way.cast.nobody, "user", protocol);
      const request = { idpId, urls: { ...urls, loginHint: "ada" } };
      const { authUrl, ...answer } = await ask("StartIdentityProviderIntent", request);
      expect(answer).toEqual({ details: details(1, way.cast.instanceId) });
      const { origin, searchParams } = new URL(authUrl as string);
      expect(origin).toBe(way.provider.issuer);
      expect(Object.fromEntries(searchParams)).toMatchObject({
        client_id: "gatehouse",
        response_type: "code",
        scope: "openid profile email",
        redirect_uri: `${way.house.url}/idps/callback`,
        state: uuid,
        login_hint: "ada",
        code_challenge_method: "S256",
      });
    });

    test("are refused without a credential", async () => {
      for (const [method, request] of [
        ["StartIdentityProviderIntent", { idpId, urls }],
        ["RetrieveIdentityProviderIntent", { idpIntentId: "i", idpIntentToken: "t" }],
      ] as const) {
        const { code } = await refusal(way.as(undefined, "user", protocol)(method, request));
        expect(code).toBe(unauthenticated.code);
      }
    });

    test("that have succeeded are read with tokens, the provider's words and a proposal", async () => {
      const { id, token, user } = await way.succeed(idpId);
      expect(user).toBeUndefined();
      const ask = way.as(way.cast.nobody, "user", protocol);
      const answer = await ask("RetrieveIdentityProviderIntent", { idpIntentId: id, idpIntentToken: token });
      const profile = { givenName: "ada", familyName: "Outside", displayName: "ada Outside" };
      const email = { email: "ada@outside.example", isVerified: true };
      const idpLinks = [{ idpId, userId: "ada", userName: "ada.outside" }];
      expect(answer).toMatchObject({
        details: details(2, way.cast.instanceId),
        idpInformation: {
          oauth: { accessToken: expect.stringMatching(/./), idToken: expect.stringMatching(/^ey/) },
          idpId,
          userId: "ada",
          userName: "ada.outside",
          rawInformation: { sub: "ada", email: "ada@outside.example", preferred_username: "ada.outside" },
        },
        // The generated client of the other protocols is older than this field.
        ...(protocol === "REST"
          ? { createUser: { username: "ada.outside", human: { profile, email, idpLinks } } }
          : {}),
        addHumanUser: { username: "ada.outside", profile, email, idpLinks },
      });
      expect(answer).not.toHaveProperty("userId");
      expect(answer).not.toHaveProperty("updateUser");
      // As often as anybody likes, until a session takes it.
      expect(await ask("RetrieveIdentityProviderIntent", { idpIntentId: id, idpIntentToken: token })).toEqual(
        answer,
      );
    });

    test("are not read with a token that was not issued for them", async () => {
      const [{ id, token }, other] = [await way.succeed(idpId), await way.succeed(idpId, grace)];
      const ask = way.as(way.cast.owner, "user", protocol);
      const read = (idpIntentToken: string, idpIntentId = id) =>
        refusal(ask("RetrieveIdentityProviderIntent", { idpIntentId, idpIntentToken }));
      expect(await read(other.token)).toEqual(tokenRefused("CRYPTO-CRYPTO"));
      expect(await read(token, other.id)).toEqual(tokenRefused("CRYPTO-CRYPTO"));
      expect(await read(token, "no uuid")).toEqual(tokenRefused("CRYPTO-CRYPTO"));
      expect(await read(`${token}=`)).toEqual(tokenRefused("CRYPTO-Swg31"));
      expect(await read("not base64url!")).toEqual(tokenRefused("CRYPTO-Swg31"));
      expect(await read("false")).toEqual(tokenRefused("CRYPTO-Swg31"));
      expect(await read(token.slice(0, -4))).toEqual(tokenRefused("CRYPTO-Sf4gt"));
      expect(await read(Buffer.from(id).toString("base64url"))).toEqual(tokenRefused("CRYPTO-Sf4gt"));
      for (const at of [0, 20, 21, 40, 63]) {
        const forged = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
        expect((await read(forged)).code).toBe(Code.PermissionDenied);
      }
      expect((await read("")).code).toBe(Code.InvalidArgument);
    });
  });

  describe("starting one is refused", () => {
    const start = (request: JsonObject) => refusal(user()("StartIdentityProviderIntent", request));

    test("for a provider nobody knows, or that was removed", async () => {
      const unknown = refused(
        Code.FailedPrecondition,
        "identity provider could not be found",
        "COMMAND-39n221fs",
      );
      expect(await start({ idpId: "nobody", urls })).toEqual(unknown);
      const removed = await way.addOidc();
      await way.as(way.cast.owner, "admin")("DeleteProvider", { id: removed });
      expect(await start({ idpId: removed, urls })).toEqual(unknown);
    });

    test("for a directory, clearly", async () => {
      expect(await start({ idpId, ldap: { username: "ada", password: "secret" } })).toEqual(
        refused(Code.Unimplemented, "directories (LDAP) are not served", "GATE-1dpLd"),
      );
    });

    test("without the URLs to return to", async () => {
      expect(await start({ idpId })).toEqual(
        refused(Code.InvalidArgument, "the URLs to return to are missing", "GATE-1dpCm"),
      );
      expect((await start({ idpId, urls: { successUrl: SUCCESS_URL } })).code).toBe(Code.InvalidArgument);
    });

    test.each(["javascript:alert(1)", "data:text/html,x", "http://[", "JavaScript:alert(1)"])(
      "with %s to return to",
      async (bad) => {
        for (const pair of [
          { successUrl: bad, failureUrl: FAILURE_URL },
          { successUrl: SUCCESS_URL, failureUrl: bad },
        ]) {
          expect((await start({ idpId, urls: pair })).code).toBe(Code.InvalidArgument);
        }
      },
    );

    test("for a provider that is not there, and nothing is stored", async () => {
      const gone = await startOpenIdProvider({ accounts: [], clients: [] });
      const goneId = await way.addOidc({ issuer: gone.issuer });
      await gone.close();
      expect(await start({ idpId: goneId, urls })).toEqual(
        refused(Code.Unavailable, "the identity provider could not be reached", "GATE-1dpUn"),
      );
    });
  });

  describe("the callback", () => {
    test("sends a success to the success URL, with its own query kept, and the user if linked", async () => {
      const linkedId = await way.addOidc();
      const first = await way.walk(linkedId);
      expect(first.parameters).toEqual({ keep: "1", id: uuid, token: expect.stringMatching(/^[\w-]{64}$/) });
      await way.link(way.cast.noah.id, linkedId, "ada");
      const second = await way.walk(linkedId);
      expect(second.parameters).toMatchObject({ user: way.cast.noah.id });
      const { id, token } = second.parameters as { id: string; token: string };
      const ask = way.as(way.cast.nobody, "user", "REST");
      const answer = await ask("RetrieveIdentityProviderIntent", { idpIntentId: id, idpIntentToken: token });
      expect(answer).toMatchObject({
        userId: way.cast.noah.id,
        updateUser: { userId: way.cast.noah.id, human: { profile: { givenName: "ada" } } },
        updateHumanUser: { userId: way.cast.noah.id },
      });
      expect(answer).not.toHaveProperty("createUser");
    });

    test("takes the answer as a form too", async () => {
      const { url } = await walkThrough(await way.start(idpId), ada);
      const { parameters } = arrivedAt(
        await way.callback(`${way.house.url}/idps/callback`, url.searchParams),
      );
      expect(parameters).toMatchObject({ id: uuid, token: expect.any(String) });
    });

    test("sends a refusal of the provider to the failure URL, in the provider's words", async () => {
      const { location, parameters } = await way.walk(idpId, ada, { deny: true });
      expect(location.href).toMatch(/^https:\/\/app\.example\.com\/failed\?.*#top$/);
      expect(parameters).toEqual({
        id: uuid,
        error: "access_denied",
        error_description: "The user said no.",
      });
    });

    test("sends a code that is worth nothing to the failure URL", async () => {
      const state = new URL(await way.start(idpId)).searchParams.get("state")!;
      const made = `${way.house.url}/idps/callback?state=${state}&code=made-up&iss=${way.provider.issuer}`;
      expect(arrivedAt(await way.callback(made)).parameters).toEqual({
        id: state,
        error: "invalid_grant",
        error_description: expect.any(String),
      });
    });

    test("sends a sign-in at a provider that was removed meanwhile to the failure URL", async () => {
      const removed = await way.addOidc();
      const { url } = await walkThrough(await way.start(removed), ada);
      await way.as(way.cast.owner, "admin")("DeleteProvider", { id: removed });
      expect(arrivedAt(await way.callback(url)).parameters).toMatchObject({ error: "access_denied" });
    });

    test("sends a provider that went away meanwhile to the failure URL", async () => {
      const redirectUris = [`${way.house.url}/idps/callback`];
      const leaving = await startOpenIdProvider({
        accounts: [ada],
        clients: [{ id: "gatehouse", secret: "s", redirectUris }],
      });
      const leavingId = await way.addOidc({ issuer: leaving.issuer, clientSecret: "s" });
      const { url } = await walkThrough(await way.start(leavingId), ada);
      await leaving.close();
      expect(arrivedAt(await way.callback(url)).parameters).toMatchObject({
        error: "temporarily_unavailable",
        error_description: "the identity provider could not be reached",
      });
    });

    test.each([
      "",
      "?code=c",
      "?state=&code=c",
      "?state=nobody&code=c",
      "?state=01890000-0000-7000-8000-000000000000&code=c",
      "?state=01890000-0000-7000-8000-000000000000&error=access_denied",
      "?success_url=https://evil.example.com&redirect_uri=https://evil.example.com",
    ])("goes nowhere with %s", async (search) => {
      for (const form of [undefined, new URLSearchParams(search)]) {
        const response = await way.callback(`${way.house.url}/idps/callback${form ? "" : search}`, form);
        expect(response.status).toBe(400);
        expect(response.headers.get("location")).toBeNull();
        expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
        expect(await response.text()).toMatch(/^This sign-in is unknown/);
      }
    });

    test("ends a walk once: who comes again is sent nowhere", async () => {
      for (const deny of [false, true]) {
        const { url } = await walkThrough(await way.start(idpId), ada, { deny });
        expect((await way.callback(url)).status).toBe(302);
        expect((await way.callback(url)).status).toBe(400);
      }
    });

    test("ends a walk once, though a browser asks twenty times at once, and well", async () => {
      const { url } = await walkThrough(await way.start(idpId), ada);
      const answers = await Promise.all(Array.from({ length: 20 }, () => way.callback(url)));
      const [first, ...others] = answers.toSorted((a, b) => a.status - b.status);
      expect(arrivedAt(first!).parameters).toHaveProperty("token");
      expect(new Set(others.map(({ status }) => status))).toEqual(new Set([400]));
    });

    test("is too late after an hour", async () => {
      const { url } = await walkThrough(await way.start(idpId), ada);
      expect((await later(3600, () => way.callback(url))).status).toBe(400);
      expect((await later(3599, () => way.callback(url))).status).toBe(302);
    });

    test("answers nothing but GET and a POST of a form", async () => {
      const put = await fetch(`${way.house.url}/idps/callback?state=x`, { method: "PUT" });
      expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, POST"]);
      const json = await fetch(`${way.house.url}/idps/callback`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      expect(json.status).toBe(400);
      const huge = await way.callback(
        `${way.house.url}/idps/callback`,
        new URLSearchParams({ state: "x".repeat(100_000) }),
      );
      expect(huge.status).toBe(400);
    });
  });

  test("are not read before they have succeeded, or after they failed, or an hour later", async () => {
    const { id, token } = await way.succeed(idpId);
    const read = (idpIntentId: string, idpIntentToken: string) =>
      user()("RetrieveIdentityProviderIntent", { idpIntentId, idpIntentToken });
    expect(await refusal(later(3601, () => read(id, token)))).toEqual(
      refused(Code.FailedPrecondition, "intent has expired", "IDP-SAf42"),
    );
    await later(3600, () => read(id, token));
    const started = new URL(await way.start(idpId)).searchParams.get("state")!;
    // Nobody has a token for these; another one is refused before it is looked at how they stand.
    expect(await refusal(read(started, token))).toEqual(tokenRefused("CRYPTO-CRYPTO"));
  });

  test("over plain OAuth 2.0 bring the same, the id from the attribute that was named", async () => {
    const oauthId = await way.addOAuth();
    const { id, token } = await way.succeed(oauthId);
    const ask = way.as(way.cast.nobody, "user", "REST");
    const answer = await ask("RetrieveIdentityProviderIntent", { idpIntentId: id, idpIntentToken: token });
    expect(answer).toMatchObject({
      idpInformation: {
        oauth: { accessToken: expect.any(String) },
        userId: "1815",
        userName: "ada",
        rawInformation: { id: 1815, login: "ada" },
      },
      createUser: { human: { email: { email: "ada@outside.example", isVerified: false } } },
    });
    expect((answer.idpInformation as JsonObject).oauth).not.toHaveProperty("idToken");
  });

  test("return to a path of this server where that is what was asked", async () => {
    const { authUrl } = await user()("StartIdentityProviderIntent", {
      idpId,
      urls: { successUrl: "/done?x=1", failureUrl: "/failed" },
    });
    const { url } = await walkThrough(authUrl as string, ada);
    const { location } = arrivedAt(await way.callback(url));
    expect(location.href).toMatch(new RegExp(`^${way.house.url}/done\\?x=1&id=`));
  });
});
