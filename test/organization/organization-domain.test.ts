import { describe, expect, it } from "vitest";
import { organizationDomain } from "../../src/organization/organization-domain.ts";

describe("an organization's domain", () => {
  it.each([
    ["Acme", "acme.auth.example.com"],
    ["Ärzte & Co.", "arzte-co.auth.example.com"],
    ["  --x--  ", "x.auth.example.com"],
    ["Straße 7", "stra-e-7.auth.example.com"],
  ])("of %j is %s", (name, expected) => {
    expect(organizationDomain(name, "auth.example.COM")).toBe(expected);
  });

  it("keeps to the length of a label, and begins and ends with a letter or a number", () => {
    const label = organizationDomain(`${"a".repeat(10)} ${"b".repeat(63)}`, "x")!.split(".")[0]!;
    expect(label).toBe("b".repeat(63));
    expect(organizationDomain(`a ${"b".repeat(62)}`, "x")).toBe(`${"b".repeat(62)}.x`);
  });

  it("cannot be made of a name without letters a host name knows", () => {
    expect(organizationDomain("日本", "x")).toBeUndefined();
  });
});
