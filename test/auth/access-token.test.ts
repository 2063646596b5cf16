import { describe, expect, it } from "vitest";
import { type AccessClaims, AccessTokens } from "../../src/auth/access-token.ts";
import { uuidV7 } from "../../src/crypto/random-ids.ts";

const tokens = new AccessTokens(new Uint8Array(32).fill(1));
const NOW = new Date("2026-07-10T09:00:00.000Z");

const claims = (changes: Partial<AccessClaims> = {}): AccessClaims => ({
  userId: uuidV7(),
  source: "key",
  credentialId: uuidV7(),
  userEpoch: 3,
  expiresAt: new Date(NOW.getTime() + 1),
  ...changes,
});

describe("an access token", () => {
  it.each([
    claims(),
    claims({ source: "secret", userEpoch: 0 }),
    claims({ userEpoch: 2 ** 40, expiresAt: new Date("9999-12-31T23:59:59.999Z") }),
    claims({ userId: "b" }),
    claims({ userId: "Zoë 🦉".repeat(40) }),
  ])("says what it was issued for: %j", (said) => {
    expect(tokens.read(tokens.issue(said))).toEqual(said);
  });

  it("is short for a user id of ours, and can be told from everything else", () => {
    expect(tokens.issue(claims())).toMatch(/^gatehouse_at_[\w-]{130}$/);
  });

  it("with any bit changed, cut off or added was never issued", () => {
    const text = tokens.issue(claims());
    const [prefix, body] = ["gatehouse_at_", text.slice("gatehouse_at_".length)];
    const bytes = Buffer.from(body, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(tokens.read(prefix + forged.toString("base64url"))).toBeUndefined();
    }
    for (const length of [0, 1, 32, 60, 61, 62, bytes.length - 1]) {
      expect(tokens.read(prefix + bytes.subarray(0, length).toString("base64url"))).toBeUndefined();
    }
    expect(tokens.read(`${text}AAAA`)).toBeUndefined();
    expect(tokens.read(body)).toBeUndefined();
    expect(tokens.read(text.replace("_at_", "_st_"))).toBeUndefined();
  });

  it("of a server with another key was never issued", () => {
    expect(tokens.read(new AccessTokens(new Uint8Array(32).fill(2)).issue(claims()))).toBeUndefined();
  });
});
