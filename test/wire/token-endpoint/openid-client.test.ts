import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clientCredentialsGrant,
  genericGrantRequest,
  None,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import { type House, startHouse } from "../../support/fixtures.ts";
import { asking } from "../users/wire.ts";
import {
  assertionOf,
  expectGood,
  JWT_BEARER,
  newServiceAccount,
  type ServiceAccount,
} from "./service-accounts.ts";

describe.each(engines)("openid-client on %s", (engine) => {
  let house: House;
  let bot: ServiceAccount;
  beforeAll(async () => {
    house = await startHouse(engine);
    bot = await newServiceAccount(asking(house, house.cast.owner), house.cast.home.id);
  });
  afterAll(() => house.close());

  const client = (clientId: string, authentication: ClientAuth) => {
    const server = { issuer: house.url, token_endpoint: `${house.url}/oauth/v2/token` };
    const configuration = new Configuration(server, clientId, {}, authentication);
    allowInsecureRequests(configuration);
    return configuration;
  };

  test.each([
    ["client_secret_basic", ClientSecretBasic],
    ["client_secret_post", ClientSecretPost],
  ])("signs in by %s", async (_, authentication) => {
    for (const id of [bot.userId, bot.username]) {
      const tokens = await clientCredentialsGrant(client(id, authentication(bot.secret)), {
        scope: "openid",
      });
      expect(tokens.token_type).toBe("bearer");
      expect(tokens.expires_in).toBe(3_600);
      await expectGood(house, tokens.access_token, bot.userId);
    }
  });

  test("signs in by a signed assertion", async () => {
    const assertion = await assertionOf(bot, house.url);
    const tokens = await genericGrantRequest(client(bot.userId, None()), JWT_BEARER, { assertion });
    expect(tokens.expiresIn()).toBeGreaterThan(3_590);
    await expectGood(house, tokens.access_token, bot.userId);
  });

  test("understands why it is refused", async () => {
    const wrong = client(bot.userId, ClientSecretBasic("wrong"));
    const refused = await clientCredentialsGrant(wrong).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(WWWAuthenticateChallengeError);
    expect(refused).toMatchObject({ status: 401, cause: [{ scheme: "basic" }] });
    const assertion = await assertionOf(bot, "https://elsewhere.example.com");
    const denied = await genericGrantRequest(client(bot.userId, None()), JWT_BEARER, { assertion }).catch(
      (error: unknown) => error,
    );
    expect(denied).toBeInstanceOf(ResponseBodyError);
    expect(denied).toMatchObject({
      status: 400,
      error: "invalid_grant",
      error_description: "aud of the assertion does not name this server",
    });
  });
});
