import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessTokens } from "../../../src/auth/access-token.ts";
import { deriveKey } from "../../../src/crypto/encryption.ts";
import { uuidV7 } from "../../../src/crypto/random-ids.ts";
import { engines } from "../../support/databases.ts";
import { appendToUser, type House, startHouse } from "../../support/fixtures.ts";
import { MASTER_KEY } from "../../support/test-config.ts";
import { asking, type Call } from "../users/wire.ts";
import {
  assertionOf,
  byAssertion,
  bySecret,
  expectBad,
  expectGood,
  newServiceAccount,
  tokenOf,
} from "./service-accounts.ts";

const HOUR_MS = 3_600_000;

describe.each(engines)("an access token on %s", (engine) => {
  let offsetMs = 0;
  let house: House;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine, { server: { clock: () => new Date(Date.now() + offsetMs) } });
    ask = asking(house, house.cast.owner);
  });
  afterAll(() => house.close());

  test("lasts for an hour and no longer", async () => {
    const bot = await newServiceAccount(ask, house.cast.home.id);
    const token = tokenOf(await bySecret(house.url, bot.userId, bot.secret));
    offsetMs = HOUR_MS - 10_000;
    await expectGood(house, token, bot.userId);
    offsetMs = HOUR_MS;
    await expectBad(house, token);
    offsetMs = 0;
  });

  test("does not outlive its key, and says so", async () => {
    const bot = await newServiceAccount(
      ask,
      house.cast.home.id,
      new Date(Date.now() + 600_000).toISOString(),
    );
    const answer = await byAssertion(house.url, await assertionOf(bot, house.url));
    const token = tokenOf(answer);
    expect(answer.body.expires_in).toBeGreaterThan(500);
    expect(answer.body.expires_in).toBeLessThan(600);
    await expectGood(house, token, bot.userId);
    offsetMs = 600_000;
    await expectBad(house, token);
    const exp = Math.floor(Date.now() / 1_000) + 900;
    const late = await byAssertion(house.url, await assertionOf(bot, house.url, { exp }));
    expect(late.body).toEqual({ error: "invalid_grant", error_description: "the key has expired" });
    offsetMs = 0;
  });

  test("ends with its key by the database's clock too, whatever it was told", async () => {
    const bot = await newServiceAccount(ask, house.cast.home.id);
    const expired = uuidV7();
    await house.operate((database) =>
      appendToUser(
        database,
        { id: bot.userId },
        {
          type: "user.machine.key.added",
          payload: { keyId: expired, publicKey: "-", expiration: "2020-01-01T00:00:00Z" },
        },
      ),
    );
    const tokens = new AccessTokens(deriveKey(Buffer.from(MASTER_KEY, "hex"), "access token"));
    const issue = (credentialId: string) =>
      tokens.issue({
        userId: bot.userId,
        source: "key",
        credentialId,
        userEpoch: 0,
        expiresAt: new Date(Date.now() + HOUR_MS),
      });
    await expectGood(house, issue(bot.keyId), bot.userId);
    await expectBad(house, issue(expired));
  });

  test("is good on every node, and bad on every node", async () => {
    const bot = await newServiceAccount(ask, house.cast.home.id);
    const [byKey, bySecretToken] = [
      tokenOf(await byAssertion(house.url, await assertionOf(bot, house.url))),
      tokenOf(await bySecret(house.url, bot.userId, bot.secret)),
    ];
    // A server that has just started knows nothing but the database and the master key.
    await house.operate(async () => {});
    await expectGood(house, byKey, bot.userId);
    await expectGood(house, bySecretToken, bot.userId);
    await ask("LockUser", { userId: bot.userId });
    await expectBad(house, byKey);
    await expectBad(house, bySecretToken);
  });

  test("can do what its user's roles allow, as they are now", async () => {
    const bot = await newServiceAccount(ask, house.cast.home.id);
    const asBot = asking(house, { token: tokenOf(await bySecret(house.url, bot.userId, bot.secret)) });
    const total = async () =>
      Number(((await asBot("ListUsers")).details as { totalResult: string }).totalResult);
    expect(await total()).toBe(1);
    const resource = { instance: true };
    await ask("CreateAdministrator", { userId: bot.userId, resource, roles: ["IAM_OWNER_VIEWER"] });
    expect(await total()).toBeGreaterThan(1);
    await ask("DeleteAdministrator", { userId: bot.userId, resource });
    expect(await total()).toBe(1);
  });
});
