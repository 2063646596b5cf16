import { describe, expect, it } from "vitest";
import { describeUserAgent } from "../../src/session/user-agent.ts";

describe("a user agent", () => {
  it("is kept as sent, the order of header values too", () => {
    expect(
      describeUserAgent({
        fingerprintId: "fp",
        ip: "1.2.3.4",
        description: "browser",
        header: { accept: ["b", "a"] },
      }),
    ).toEqual({
      fingerprint_id: "fp",
      ip: "1.2.3.4",
      description: "browser",
      header: { accept: ["b", "a"] },
    });
  });

  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["oops", undefined],
    ["", undefined],
    ["1.2.3", undefined],
    ["fe80::1%eth0", undefined],
  ])("writes the address %j as %j", (given, kept) => {
    expect(describeUserAgent({ ip: given, description: "d" })).toEqual({
      ...(kept ? { ip: kept } : {}),
      description: "d",
    });
  });

  it("may be there and say nothing", () => {
    expect(describeUserAgent({})).toEqual({});
  });

  it("has limits", () => {
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`h${n}`, ["v"]]));
    expect(describeUserAgent({ header: headers(64) }).header).toBeDefined();
    const tooLarge = expect.objectContaining({ slug: "session.user_agent_too_large" });
    expect(() => describeUserAgent({ header: headers(65) })).toThrow(tooLarge);
    expect(() => describeUserAgent({ description: "x".repeat(20_000) })).toThrow(tooLarge);
  });
});
