import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { isCurrent, isSessionToken, SessionTokens } from "../../src/session/session-token.ts";
import { givenSession, SESSION_ID } from "../support/given.ts";

const tokens = new SessionTokens(new Uint8Array(32).fill(7));
const { token, digest } = tokens.issue(SESSION_ID);
const session = { ...givenSession(), tokenDigest: digest };

describe("session tokens", () => {
  it("are short, prefixed, and safe in a header and a query", () => {
    expect(token).toMatch(/^gatehouse_st_[A-Za-z0-9_-]{86}$/);
    expect(token.length).toBeLessThan(150);
    expect(isSessionToken(token)).toBe(true);
  });

  it("are read back as the session they were issued for, and are current while their digest is stored", () => {
    const read = tokens.read(token)!;
    expect(read).toEqual({ sessionId: SESSION_ID, digest });
    expect(isCurrent(read, session)).toBe(true);
    expect(isCurrent(read, { ...session, tokenDigest: tokens.issue(SESSION_ID).digest })).toBe(false);
    expect(isCurrent(read, { ...session, id: uuidV7() })).toBe(false);
    expect(isCurrent(read, { ...session, tokenDigest: null })).toBe(false);
  });

  it("do not contain what is stored: neither gives away the other", () => {
    expect(token).not.toContain(digest);
    expect(Buffer.from(token.slice(13), "base64url").includes(Buffer.from(digest, "base64url"))).toBe(false);
  });

  it("are worth nothing under another key", () => {
    expect(new SessionTokens(new Uint8Array(32).fill(8)).read(token)).toBeUndefined();
  });

  it("are refused when any bit of them is changed", () => {
    const bytes = Buffer.from(token.slice(13), "base64url");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
        const forged = Buffer.from(bytes);
        forged[bit >> 3]! ^= 1 << (bit & 7);
        expect(tokens.read(`gatehouse_st_${forged.toString("base64url")}`)).toBeUndefined();
      }),
    );
  });

  it("are refused without an error for any other text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `gatehouse_st_${text}`),
        ),
        (text) => {
          expect(tokens.read(text)).toBeUndefined();
        },
      ),
    );
  });
});
