import { describe, expect, test } from "vitest";
import { externalUser, type JsonObject, standardClaims } from "../../../src/idp/protocol/external-user.ts";

const read = (claims: JsonObject) => externalUser({ sub: "1", ...claims }, standardClaims);

describe("an external user", () => {
  test("is called by its id where nothing better is known", () => {
    expect(read({})).toEqual({
      id: "1",
      userName: "1",
      emailVerified: false,
      phoneVerified: false,
      raw: { sub: "1" },
    });
  });

  test("is called by the first name that is there", () => {
    expect(read({ email: "a@b.c" }).userName).toBe("a@b.c");
    expect(read({ email: "a@b.c", preferred_username: "ada" }).userName).toBe("ada");
    expect(read({ email: "a@b.c", preferred_username: " " }).userName).toBe("a@b.c");
  });

  test.each([{ sub: "" }, { sub: null }, { sub: " " }, { sub: {} }, { sub: true }, { sub: "x".repeat(201) }])(
    "is nobody with %j",
    (claims) => {
      expect(() => externalUser(claims, standardClaims)).toThrow("does not say who signed in");
    },
  );

  test("may have a number for an id", () => {
    expect(externalUser({ sub: 42 }, standardClaims).id).toBe("42");
    // As JSON.parse reads 9007199254740993: another user's id.
    expect(() => externalUser({ sub: 2 ** 53 }, standardClaims)).toThrow("does not say who signed in");
  });

  test.each([
    [true, true],
    ["true", true],
    [false, false],
    ["false", false],
    [1, false],
    ["yes", false],
    [null, false],
  ])("has a verified address if email_verified is %j: %j", (claim, verified) => {
    expect(read({ email: "a@b.c", email_verified: claim }).emailVerified).toBe(verified);
  });

  test("has no verified address without an address", () => {
    expect(read({ email_verified: true }).emailVerified).toBe(false);
    expect(read({ email: "x".repeat(201), email_verified: true }).emailVerified).toBe(false);
  });

  test.each([
    ["de", "de"],
    ["de_CH", "de-CH"],
    ["EN-gb", "en-GB"],
    ["not a language", undefined],
    [{ language: "de" }, undefined],
  ])("speaks %j as %j", (locale, language) => {
    expect(read({ locale }).language).toBe(language);
  });

  test("is left without what the database cannot hold", () => {
    const { givenName, raw } = read({ given_name: "A\0da", "k\0": ["\ud800", { deep: "\0" }] });
    expect(givenName).toBe("Ada");
    expect(raw).toEqual({ sub: "1", given_name: "Ada", k: ["\ufffd", { deep: "" }] });
  });

  test("is refused with an answer deeper than its readers go", () => {
    let deep: JsonObject = {};
    for (let depth = 0; depth < 40; depth++) deep = { deep };
    expect(() => read(deep)).toThrow("too deep");
  });
});
