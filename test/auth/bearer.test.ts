import { describe, expect, it } from "vitest";
import { bearerCredential } from "../../src/auth/bearer.ts";

describe("the authorization header", () => {
  it.each([
    ["Bearer X", "X"],
    ["something Bearer X", "X"],
    ["Bearer a b", "a b"],
  ])("%j carries %j", (header, credential) => {
    expect(bearerCredential(header)).toBe(credential);
  });

  it.each([
    [undefined, "auth.header_missing"],
    [null, "auth.header_missing"],
    ["", "auth.header_missing"],
    ["X", "auth.header_invalid"],
    ["bearer X", "auth.header_invalid"],
    ["Basic X", "auth.header_invalid"],
    ["Bearer", "auth.header_invalid"],
    ["Bearer ", "auth.header_invalid"],
    ["Bearer X Bearer Y", "auth.header_invalid"],
  ])("%j is refused with %s", (header, slug) => {
    expect(() => bearerCredential(header)).toThrow(expect.objectContaining({ slug }));
  });
});
