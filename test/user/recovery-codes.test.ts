import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createUser } from "../../src/user/create-user.ts";
import {
  decideAddRecoveryCodes,
  decideRemoveRecoveryCodes,
  generateRecoveryCodes,
  newRecoveryCode,
  recoveryCodeDigest,
  removeRecoveryCodes,
} from "../../src/user/recovery-codes.ts";
import { engines } from "../support/databases.ts";
import { caller, givenUser } from "../support/given.ts";
import { defaultOrganization, type House, human, lock, openHouse, owner } from "./house.ts";

const SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz";
const slug = (name: string) => expect.objectContaining({ slug: name });
const stock = (count: number) => Array.from({ length: count }, (_, index) => `digest-${index}`);

describe("a recovery code", () => {
  const codes = Array.from({ length: 3_200 }, newRecoveryCode);

  it("is ten symbols that are not mistaken for each other, with a hyphen in the middle", () => {
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it("draws every symbol alike, the last one too", () => {
    const counts = new Map<string, number>();
    for (const symbol of codes.join("").replaceAll("-", ""))
      counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
    expect([...counts.keys()].sort().join("")).toBe(SYMBOLS);
    // A thousand of each are expected, with a deviation of 31: six of those are not seen in a lifetime.
    for (const [symbol, count] of counts) expect(Math.abs(count - 1_000), symbol).toBeLessThan(190);
  });

  it("leaves a digest that depends on key, owner and every character", () => {
    const key = new Uint8Array(32);
    const digests = [
      recoveryCodeDigest(key, "mia", "abcde-12345"),
      recoveryCodeDigest(key, "leo", "abcde-12345"),
      recoveryCodeDigest(key, "mia", "abcde-12346"),
      recoveryCodeDigest(new Uint8Array(32).fill(1), "mia", "abcde-12345"),
      // Owner and code do not run into each other.
      recoveryCodeDigest(key, 'mia","abcde-12345', ""),
      recoveryCodeDigest(key, "miaa", "bcde-12345"),
    ];
    for (const digest of digests) expect(digest).toMatch(/^[\w-]{43}$/);
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe("a stock of recovery codes", () => {
  it.each([
    [null, 1, true],
    [null, 10, true],
    [null, 11, false],
    [0, 10, true],
    [9, 1, true],
    [9, 2, false],
    [10, 1, false],
  ])("of %s takes %i more: %s", (left, count, fits) => {
    const user = { ...givenUser(), recoveryCodes: left === null ? null : stock(left) };
    const decide = () => decideAddRecoveryCodes(user, stock(count));
    if (fits)
      expect(decide()).toEqual([
        { type: "user.human.mfa.recoverycode.added", payload: { codes: stock(count) } },
      ]);
    else expect(decide).toThrow(slug("user.recovery_codes_too_many"));
  });

  it.each([
    ["none", givenUser(), []],
    ["some", { ...givenUser(), recoveryCodes: stock(3) }, ["user.human.mfa.recoverycode.removed"]],
    ["used up", { ...givenUser(), recoveryCodes: [] }, ["user.human.mfa.recoverycode.removed"]],
  ])("that is %s is removed", (_, user, types) => {
    expect(decideRemoveRecoveryCodes(user).map(({ type }) => type)).toEqual(types);
  });

  it("of a locked user stays", () => {
    for (const recoveryCodes of [null, [], stock(1)]) {
      expect(() => decideRemoveRecoveryCodes({ ...givenUser(), status: "locked", recoveryCodes })).toThrow(
        slug("user.recovery_codes_locked"),
      );
    }
  });
});

describe.each(engines)("recovery codes on %s", (engine) => {
  let house: House;
  let organizationId: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    organizationId = await defaultOrganization(house);
  });
  afterAll(() => house.close());

  const add = (name: string) => createUser(house, owner, { organizationId, human: human(name) });
  const generate = (userId: string, count: number) => generateRecoveryCodes(house, owner, { userId, count });
  const stored = async (userId: string) => (await house.users.find(userId))!;

  it("are added to those there are, and stored as digests only", async () => {
    await add("ada");
    const first = await generate("ada", 3);
    const second = await generate("ada", 7);
    const { recoveryCodes, sequence, changedAt } = await stored("ada");
    expect(second.details).toMatchObject({ sequence, changedAt, resourceOwner: organizationId });
    expect(first.details.sequence).toBe(sequence - 1);
    const codes = [...first.codes, ...second.codes];
    expect(recoveryCodes).toEqual(
      codes.map((code) => recoveryCodeDigest(house.recoveryCodeKey, "ada", code)),
    );
    const text = JSON.stringify([await stored("ada"), await house.events.readStream("user", "ada")]);
    for (const code of codes)
      for (const part of [code, ...code.split("-")]) expect(text).not.toContain(`"${part}"`);
    for (const code of codes) expect(text).not.toContain(code);
    await expect(generate("ada", 1)).rejects.toEqual(slug("user.recovery_codes_too_many"));
  });

  it.each([0, -1, Number.NaN])("are not generated by the number of %s", async (count) => {
    await expect(generate("ada", count)).rejects.toEqual(slug("user.recovery_codes_count_invalid"));
  });

  it("are removed with details of the write, and removing none changes nothing", async () => {
    await add("bea");
    const { sequence } = await stored("bea");
    expect(await removeRecoveryCodes(house, owner, "bea")).toMatchObject({ sequence });
    await generate("bea", 2);
    // Removed, and with them the sessions ended.
    expect(await removeRecoveryCodes(house, owner, "bea")).toMatchObject({ sequence: sequence + 3 });
    expect(await removeRecoveryCodes(house, owner, "bea")).toMatchObject({ sequence: sequence + 3 });
    expect((await stored("bea")).recoveryCodes).toBeNull();
    await generate("bea", 10);
  });

  it("generated many at once never exceed the stock", async () => {
    await add("cleo");
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => generate("cleo", 3)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect((await stored("cleo")).recoveryCodes).toHaveLength(9);
  });

  it("belong to people, and are one's own or somebody's who may", async () => {
    const bot = { userId: "bot", name: "Bot", accessTokenType: 0, metadata: [] };
    await createUser(house, owner, { organizationId, machine: bot });
    await add("dora");
    const manager = caller("manager", { [organizationId]: ["ORG_USER_MANAGER"] });
    const denied = slug("auth.permission_denied");
    const notFound = slug("user.recovery_codes_user_not_found");
    for (const userId of ["bot", "nobody"]) {
      await expect(generate(userId, 1)).rejects.toEqual(notFound);
      await expect(removeRecoveryCodes(house, owner, userId)).rejects.toEqual(notFound);
    }
    for (const stranger of [caller("x"), manager]) {
      for (const userId of ["dora", "nobody"]) {
        await expect(generateRecoveryCodes(house, stranger, { userId, count: 1 })).rejects.toEqual(denied);
        await expect(removeRecoveryCodes(house, stranger, userId)).rejects.toEqual(denied);
      }
    }
    const dora = caller("dora");
    await generateRecoveryCodes(house, dora, { userId: "dora", count: 1 });
    await removeRecoveryCodes(house, dora, "dora");
  });

  it("of a locked user are not removed", async () => {
    await add("eve");
    await generate("eve", 1);
    await lock(house, "eve");
    await expect(removeRecoveryCodes(house, owner, "eve")).rejects.toEqual(
      slug("user.recovery_codes_locked"),
    );
    expect((await stored("eve")).recoveryCodes).toHaveLength(1);
  });
});
