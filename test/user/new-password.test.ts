import { describe, expect, it } from "vitest";
import { createPasswordHasher } from "../../src/crypto/password-hasher.ts";
import { instanceAggregate } from "../../src/organization/instance.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import type { PasswordComplexity } from "../../src/storage/instance-settings.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { encodePassword } from "../../src/user/new-password.ts";
import { decidePasswordAttempt } from "../../src/user/password-check.ts";
import { checkPasswordPolicy } from "../../src/user/password-policy.ts";
import { givenUser } from "../support/given.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });

const fresh = instanceAggregate.initialState("instance");

describe("the password policy of a fresh instance", () => {
  const policy = settingsOf(fresh).passwordComplexity;

  it.each(["Secret-1", "pässWörter 1", "🔑🔑🔑🔑🔑aB1"])("takes %j", (password) => {
    expect(() => checkPasswordPolicy(password, policy)).not.toThrow();
  });

  it.each([
    ["Short-1", "user.password_too_short"],
    ["🔑aB1🔑", "user.password_too_short"],
    ["SECRET-1", "user.password_lower_missing"],
    ["secret-1", "user.password_upper_missing"],
    ["Secret--", "user.password_number_missing"],
    ["Secret12", "user.password_symbol_missing"],
  ])("refuses %j: %s", (password, expected) => {
    expect(() => checkPasswordPolicy(password, policy)).toThrow(slug(expected));
  });
});

describe("a password policy", () => {
  const nothing: PasswordComplexity = {
    minLength: 1,
    hasLowercase: false,
    hasUppercase: false,
    hasNumber: false,
    hasSymbol: false,
  };

  it("asks for nothing but what it names", () => {
    expect(() => checkPasswordPolicy("x", nothing)).not.toThrow();
  });

  it.each<[Partial<PasswordComplexity>, string, string]>([
    [{ minLength: 12 }, "x".repeat(11), "user.password_too_short"],
    [{ hasLowercase: true }, "X", "user.password_lower_missing"],
    [{ hasUppercase: true }, "x", "user.password_upper_missing"],
    [{ hasNumber: true }, "x", "user.password_number_missing"],
    [{ hasSymbol: true }, "x1", "user.password_symbol_missing"],
  ])("with %j alone refuses %j: %s", (named, password, expected) => {
    expect(() => checkPasswordPolicy(password, { ...nothing, ...named })).toThrow(slug(expected));
  });
});

describe("a hash from elsewhere", () => {
  const passwords = createPasswordHasher();
  const organizations = { instance: async () => fresh };
  const encode = (hash: string) =>
    encodePassword({ passwords, organizations }, { hash, changeRequired: false });

  it("is stored as it is, whatever the policy would say of its password", async () => {
    const bcrypt = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    expect(await encode(bcrypt)).toBe(bcrypt);
  });

  it.each([
    ["$6$salt$hash", "user.hash_unsupported"],
    ["$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "user.hash_out_of_bounds"],
    ["plain text", "user.hash_malformed"],
  ])("%j is refused: %s", async (hash, expected) => {
    await expect(encode(hash)).rejects.toEqual(slug(expected));
  });
});

describe("a verified password", () => {
  const failed: UserEvent = { type: "user.human.password.check.failed", payload: {} };
  const types = (user: ReturnType<typeof givenUser>, maxAttempts: number) =>
    decidePasswordAttempt(user, { matches: false }, maxAttempts).events.map(({ type }) => type);

  it("that was wrong locks exactly at the limit", () => {
    expect(types(givenUser(failed), 3)).toEqual(["user.human.password.check.failed"]);
    expect(types(givenUser(failed, failed), 3)).toEqual(["user.human.password.check.failed", "user.locked"]);
  });

  it("that was wrong never locks without a limit", () => {
    expect(types(givenUser(...Array(50).fill(failed)), 0)).toEqual(["user.human.password.check.failed"]);
  });
});
