import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import type { DomainError } from "../../src/errors.ts";
import { IntentTokens } from "../../src/idp/intent-token.ts";

const tokens = new IntentTokens(new Uint8Array(32).fill(1));
const id = uuidV7();

const slugOf = (token: string, intentId = id): string => {
  try {
    tokens.verify(token, intentId);
    return "ok";
  } catch (error) {
    return (error as DomainError).slug;
  }
};

describe("intent tokens", () => {
  test("open the intent they were issued for, and fit the contract's 200 characters", () => {
    const token = tokens.issue(id);
    expect(token).toMatch(/^[\w-]{64}$/);
    expect(slugOf(token)).toBe("ok");
  });

  test("are refused in the order and with the names of the specification", () => {
    const token = tokens.issue(id);
    expect(slugOf("")).toBe("session.intent_token_empty");
    expect(slugOf("not base64url")).toBe("session.intent_token_malformed");
    expect(slugOf(`${token}==`)).toBe("session.intent_token_malformed");
    expect(slugOf(`${token}\n`)).toBe("session.intent_token_malformed");
    expect(slugOf("AAAA")).toBe("session.intent_token_forged");
    expect(slugOf(tokens.issue(uuidV7()))).toBe("session.intent_token_other");
    expect(slugOf(token, "anything")).toBe("session.intent_token_other");
    expect(slugOf(token, id.toUpperCase())).toBe("session.intent_token_other");
  });

  test("of another key are forged", () => {
    const other = new IntentTokens(new Uint8Array(32).fill(2));
    expect(slugOf(other.issue(id))).toBe("session.intent_token_forged");
  });

  test("with any bit turned are refused", () => {
    const bytes = Buffer.from(tokens.issue(id), "base64url");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const turned = Buffer.from(bytes);
        turned[at]! ^= 1 << bit;
        expect(slugOf(turned.toString("base64url"))).toBe("session.intent_token_forged");
      }),
    );
  });

  test("made of anything at all are refused, and never with another error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        expect(slugOf(text)).toMatch(/^session\.intent_token_/);
      }),
    );
  });
});
