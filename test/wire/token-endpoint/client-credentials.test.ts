import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import { type House, startHouse } from "../../support/fixtures.ts";
import { asking, type Call } from "../users/wire.ts";
import {
  accessTokenText,
  bySecret,
  expectBad,
  expectGood,
  invalidClient,
  newServiceAccount,
  post,
  refusalOf,
  type ServiceAccount,
  tokenOf,
} from "./service-accounts.ts";

const grant = { grant_type: "client_credentials" };
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

describe.each(engines)("client credentials at the token endpoint on %s", (engine) => {
  let house: House;
  let ask: Call;
  let bot: ServiceAccount;
  let other: ServiceAccount;
  beforeAll(async () => {
    house = await startHouse(engine);
    ask = asking(house, house.cast.owner);
    bot = await newServiceAccount(ask, house.cast.home.id);
    other = await newServiceAccount(ask, house.cast.home.id);
  });
  afterAll(() => house.close());

  test("buy an access token for an hour, that speaks for the user", async () => {
    const answer = await bySecret(house.url, bot.userId, bot.secret);
    expect(answer.body).toEqual({ access_token: accessTokenText, token_type: "Bearer", expires_in: 3_600 });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    await expectGood(house, tokenOf(answer), bot.userId);
  });

  test("go by user name or user id, in the form or in the header", async () => {
    for (const id of [bot.userId, bot.username, bot.username.toUpperCase()]) {
      tokenOf(await bySecret(house.url, id, bot.secret));
      tokenOf(await post(house.url, grant, basic(`${id}:${bot.secret}`)));
    }
    const { authorization } = basic(`${bot.userId}:${bot.secret}`);
    tokenOf(await post(house.url, grant, { authorization: authorization.replace("Basic", "bAsIc ") }));
  });

  test("in the header are form-encoded, since a name may hold anything", async () => {
    const username = "a+b:c%d é@example";
    const { id: userId } = await ask("CreateUser", {
      organizationId: house.cast.home.id,
      username,
      machine: { name: "Bot" },
    });
    const { clientSecret } = await ask("AddSecret", { userId: userId as string });
    const encoded = new URLSearchParams([["", username]]).toString().slice(1);
    const token = tokenOf(await post(house.url, grant, basic(`${encoded}:${clientSecret}`)));
    await expectGood(house, token, userId as string);
    tokenOf(await bySecret(house.url, username, clientSecret as string));
    expect(refusalOf(await post(house.url, grant, basic(`${username}:${clientSecret}`)))).toEqual(
      invalidClient,
    );
  });

  test("tell two users apart whose id and name are alike", async () => {
    const twin = { organizationId: house.cast.home.id, username: bot.userId, machine: { name: "Twin" } };
    const { id: twinId } = await ask("CreateUser", twin);
    const { clientSecret } = await ask("AddSecret", { userId: twinId as string });
    const ofTwin = tokenOf(await bySecret(house.url, bot.userId, clientSecret as string));
    await expectGood(house, ofTwin, twinId as string);
    await expectGood(house, tokenOf(await bySecret(house.url, bot.userId, bot.secret)), bot.userId);
  });

  test.each<[string, () => [id: string, secret: string]]>([
    ["a wrong secret", () => [bot.userId, `${bot.secret}x`]],
    ["another's secret", () => [bot.userId, other.secret]],
    ["an unknown client", () => ["nobody-of-that-id", bot.secret]],
    ["a person, who has none", () => [house.cast.mia.id, bot.secret]],
    ["what no user can be called", () => ["\0", bot.secret]],
    ["what is too long for a user", () => ["x".repeat(10_000), bot.secret]],
    ["the digest of the secret", () => [bot.userId, "digest"]],
  ])("of %s buy nothing, in the same words", async (_, credentials) => {
    const [id, secret] = credentials();
    const answer = await bySecret(house.url, id, secret);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({
      error: "invalid_client",
      error_description: "unknown client, or wrong secret",
    });
    expect(answer.headers.get("www-authenticate")).toBe('Basic realm="gatehouse", charset="UTF-8"');
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test.each([
    ["no Basic header", { authorization: "Bearer x" }],
    ["no base64", { authorization: "Basic ???" }],
    ["no colon", basic("bot")],
    ["a percent sign out of place", basic("100%:secret")],
    ["nothing", basic("")],
  ])("that are %s buy nothing", async (_, headers) => {
    expect(refusalOf(await post(house.url, grant, headers))).toEqual(invalidClient);
  });

  test("that are missing buy nothing", async () => {
    expect(refusalOf(await post(house.url, grant))).toEqual(invalidClient);
    expect(refusalOf(await post(house.url, { ...grant, client_id: bot.userId }))).toEqual(invalidClient);
    expect(refusalOf(await post(house.url, { ...grant, client_id: bot.userId, client_secret: "" }))).toEqual(
      invalidClient,
    );
  });

  describe("end, with their access tokens,", () => {
    let account: ServiceAccount;
    let token: string;
    const begin = async () => {
      account = await newServiceAccount(ask, house.cast.home.id);
      token = tokenOf(await bySecret(house.url, account.userId, account.secret));
      await expectGood(house, token, account.userId);
    };
    const expectOver = async () => {
      await expectBad(house, token);
      expect(refusalOf(await bySecret(house.url, account.userId, account.secret))).toEqual(invalidClient);
    };

    test("with the secret, and not with a key", async () => {
      await begin();
      await ask("RemoveKey", { userId: account.userId, keyId: account.keyId });
      await expectGood(house, token, account.userId);
      await ask("RemoveSecret", { userId: account.userId });
      await expectOver();
    });

    test("with a newer secret", async () => {
      await begin();
      const { clientSecret } = await ask("AddSecret", { userId: account.userId });
      await expectOver();
      tokenOf(await bySecret(house.url, account.userId, clientSecret as string));
    });

    test.each([
      ["lock", "LockUser", "UnlockUser"],
      ["deactivation", "DeactivateUser", "ReactivateUser"],
    ] as const)("with the user's %s; the access tokens for good", async (_, end, resume) => {
      await begin();
      await ask(end, { userId: account.userId });
      await expectOver();
      await ask(resume, { userId: account.userId });
      await expectBad(house, token);
      tokenOf(await bySecret(house.url, account.userId, account.secret));
    });

    test("with the user", async () => {
      await begin();
      await ask("DeleteUser", { userId: account.userId });
      await expectOver();
    });
  });
});
