import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines } from "../../support/databases.ts";
import { type House, startHouse } from "../../support/fixtures.ts";
import { asking, type Call } from "../users/wire.ts";
import {
  accessTokenText,
  assertionOf,
  byAssertion,
  expectBad,
  expectGood,
  FAR,
  invalidClient,
  invalidGrant,
  JWT_BEARER,
  newServiceAccount,
  post,
  refusalOf,
  type ServiceAccount,
  tokenOf,
} from "./service-accounts.ts";

const UNKNOWN = "the assertion is not signed by a key known here";

describe.each(engines)("an assertion at the token endpoint on %s", (engine) => {
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

  const exchange = async (assertion: string | Promise<string>) => byAssertion(house.url, await assertion);

  test("buys an access token for an hour, that speaks for its user", async () => {
    const answer = await exchange(assertionOf(bot, house.url));
    expect(answer.body).toEqual({ access_token: accessTokenText, token_type: "Bearer", expires_in: 3_600 });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    await expectGood(house, tokenOf(answer), bot.userId);
  });

  test("may come again while it lasts", async () => {
    const assertion = await assertionOf(bot, house.url);
    await expectGood(house, tokenOf(await exchange(assertion)), bot.userId);
    await expectGood(house, tokenOf(await exchange(assertion)), bot.userId);
  });

  test("may name the token endpoint, end in a slash, and say https where a proxy does", async () => {
    const { host } = new URL(house.url);
    for (const audience of [
      house.url,
      `${house.url}/`,
      `${house.url}/oauth/v2/token`,
      `https://${host}`,
      `https://${host}/oauth/v2/token`,
    ])
      tokenOf(await exchange(assertionOf(bot, audience)));
  });

  test.each([
    ["ES256", generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["EdDSA", generateKeyPairSync("ed25519")],
  ])("may be signed with %s, by a key of that kind that was brought along", async (alg, pair) => {
    const publicKey = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" })).toString("base64");
    const { keyId } = await ask("AddKey", { userId: bot.userId, expirationDate: FAR, publicKey });
    const account = { userId: bot.userId, keyId: keyId as string, privateKey: pair.privateKey };
    const token = tokenOf(await exchange(assertionOf(account, house.url, { alg })));
    await expectGood(house, token, bot.userId);
    // The key says how it signs, not the assertion.
    expect(refusalOf(await exchange(assertionOf(bot, house.url, { kid: account.keyId })))).toEqual(
      invalidGrant,
    );
  });

  const now = () => Math.floor(Date.now() / 1_000);
  const unsigned = (assertion: string, alg: string, signature: (input: string) => string) => {
    const [, claims] = assertion.split(".");
    const header = Buffer.from(JSON.stringify({ alg, kid: bot.keyId })).toString("base64url");
    return `${header}.${claims}.${signature(`${header}.${claims}`)}`;
  };
  test.each<[string, () => Promise<string>, string]>([
    ["under a key id nobody has", () => assertionOf(bot, house.url, { kid: crypto.randomUUID() }), UNKNOWN],
    ["under a key id that is none", () => assertionOf(bot, house.url, { kid: "\0'; --" }), UNKNOWN],
    ["under no key id", () => assertionOf(bot, house.url, { kid: "" }), UNKNOWN],
    ["under another's key id", () => assertionOf(bot, house.url, { kid: other.keyId }), UNKNOWN],
    ["by another's key", () => assertionOf(bot, house.url, { by: other.privateKey }), UNKNOWN],
    [
      "by another, in its own name and key, about this user",
      () => assertionOf(other, house.url, { sub: bot.userId }),
      "iss and sub of the assertion are not the user the key belongs to",
    ],
    [
      "by another's key and id, about this user",
      () => assertionOf({ ...bot, keyId: other.keyId, privateKey: other.privateKey }, house.url),
      "iss and sub of the assertion are not the user the key belongs to",
    ],
    [
      "whose issuer is not its subject",
      () => assertionOf(bot, house.url, { iss: other.userId }),
      "iss and sub of the assertion are not the user the key belongs to",
    ],
    [
      "for another server",
      () => assertionOf(bot, "https://elsewhere.example.com"),
      "aud of the assertion does not name this server",
    ],
    ["that has expired", () => assertionOf(bot, house.url, { exp: now() - 31 }), "the assertion has expired"],
    [
      "that lasts for more than an hour",
      () => assertionOf(bot, house.url, { exp: now() + 3_660 }),
      "the assertion expires more than an hour from now",
    ],
    [
      "from the future",
      () => assertionOf(bot, house.url, { iat: now() + 60 }),
      "the assertion was issued in the future",
    ],
    [
      "without a signature",
      async () => unsigned(await assertionOf(bot, house.url), "none", () => ""),
      UNKNOWN,
    ],
    [
      "signed with the public key as a shared secret",
      async () => {
        const publicKey = createPublicKey(bot.privateKey).export({ type: "spki", format: "pem" });
        return unsigned(await assertionOf(bot, house.url), "HS256", (input) =>
          createHmac("sha256", publicKey).update(input).digest("base64url"),
        );
      },
      UNKNOWN,
    ],
    ["that is none", async () => "assertion", UNKNOWN],
  ])("%s buys nothing", async (_, assertion, description) => {
    const answer = await exchange(assertion());
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ error: "invalid_grant", error_description: description });
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("needs no client authentication, but a wrong one is refused", async () => {
    const form = { grant_type: JWT_BEARER, assertion: await assertionOf(bot, house.url) };
    const basic = (secret: string) => ({
      authorization: `Basic ${Buffer.from(`${bot.userId}:${secret}`).toString("base64")}`,
    });
    tokenOf(await post(house.url, form, basic(bot.secret)));
    tokenOf(await post(house.url, { ...form, client_id: "any" }));
    expect(refusalOf(await post(house.url, form, basic("wrong")))).toEqual(invalidClient);
  });

  describe("ends, with its access tokens,", () => {
    let account: ServiceAccount;
    let token: string;
    const begin = async () => {
      account = await newServiceAccount(ask, house.cast.home.id);
      token = tokenOf(await exchange(assertionOf(account, house.url)));
      await expectGood(house, token, account.userId);
    };
    const expectOver = async () => {
      await expectBad(house, token);
      expect(refusalOf(await exchange(assertionOf(account, house.url)))).toEqual(invalidGrant);
    };

    test("with its key, and not with another", async () => {
      await begin();
      const { keyContent } = await ask("AddKey", { userId: account.userId, expirationDate: FAR });
      const { keyId } = JSON.parse(Buffer.from(keyContent as string, "base64").toString());
      await ask("RemoveKey", { userId: account.userId, keyId });
      await ask("RemoveSecret", { userId: account.userId });
      await expectGood(house, token, account.userId);
      await ask("RemoveKey", { userId: account.userId, keyId: account.keyId });
      await expectOver();
    });

    test.each([
      ["lock", "LockUser", "UnlockUser"],
      ["deactivation", "DeactivateUser", "ReactivateUser"],
    ] as const)(
      "with the user's %s; afterwards it buys new ones, and the old stay dead",
      async (_, end, resume) => {
        await begin();
        await ask(end, { userId: account.userId });
        await expectOver();
        await ask(resume, { userId: account.userId });
        await expectBad(house, token);
        const anew = tokenOf(await exchange(assertionOf(account, house.url)));
        await expectGood(house, anew, account.userId);
      },
    );

    test("with the user, also if another takes the id", async () => {
      await begin();
      const { userId } = account;
      await ask("DeleteUser", { userId });
      await expectOver();
      await ask("CreateUser", { organizationId: house.cast.home.id, userId, machine: { name: "Bot" } });
      await expectOver();
    });
  });
});
