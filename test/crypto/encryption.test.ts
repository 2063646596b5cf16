import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecryptionError, decrypt, deriveKey, encrypt } from "../../src/crypto/encryption.ts";

const key = deriveKey(new Uint8Array(32).fill(1), "encryption");
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

const reasonOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof DecryptionError) return error.reason;
  }
  return "no DecryptionError";
};

describe("encryption at rest", () => {
  test("gives back what it was given, 33 bytes longer in between", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: "binary" }), (plaintext, owner) => {
        const encrypted = encrypt(key, plaintext, owner);
        expect(encrypted).toHaveLength(plaintext.length + 33);
        expect(decrypt(key, encrypted, owner)).toEqual(plaintext);
      }),
    );
  });

  test("a changed byte is refused, wherever it is", () => {
    const encrypted = encrypt(key, Buffer.from("JBSWY3DPEHPK3PXP"), "user/1/totp");
    for (let index = 0; index < encrypted.length; index++) {
      const changed = encrypted.slice();
      changed[index]! ^= 1;
      const expected = index === 0 ? "unknown_format" : index < 5 ? "other_key" : "tampered";
      expect(reasonOf(() => decrypt(key, changed, "user/1/totp"))).toBe(expected);
    }
  });

  test("a shortened or lengthened value is refused", () => {
    const encrypted = encrypt(key, Buffer.from("secret"), "");
    for (let length = 0; length < encrypted.length; length++) {
      const expected = length < 33 ? "unknown_format" : "tampered";
      expect(reasonOf(() => decrypt(key, encrypted.slice(0, length), ""))).toBe(expected);
    }
    expect(reasonOf(() => decrypt(key, Buffer.concat([encrypted, Buffer.alloc(1)]), ""))).toBe("tampered");
  });

  test("a value copied to somebody else's row is refused", () => {
    const encrypted = encrypt(key, Buffer.from("secret"), "user/1/totp");
    expect(reasonOf(() => decrypt(key, encrypted, "user/2/totp"))).toBe("tampered");
  });

  test("another key says so, so that a rotation can try the right one", () => {
    const encrypted = encrypt(key, Buffer.from("secret"), "");
    const other = deriveKey(randomBytes(32), "encryption");
    expect(reasonOf(() => decrypt(other, encrypted, ""))).toBe("other_key");
  });

  test("the same secret never looks the same twice", () => {
    const values = Array.from({ length: 50 }, () =>
      Buffer.from(encrypt(key, Buffer.from("s"), "")).toString("hex"),
    );
    expect(new Set(values).size).toBe(50);
  });

  test("a value from a release still reads", () => {
    const stored = Buffer.from(
      "01d6c6e454e58e75e4f37ea315ebbfe88367a298b96b86a9e016ebbcae76c668210630d53f5c6425b6bb60d169bc99fd20",
      "hex",
    );
    expect(text(decrypt(key, stored, "user/1/totp"))).toBe("JBSWY3DPEHPK3PXP");
  });
});

describe("deriveKey", () => {
  test("one key a purpose, always the same", () => {
    const master = new Uint8Array(32).fill(1);
    expect(Buffer.from(deriveKey(master, "encryption")).toString("hex")).toBe(
      "1b20df80b622491c6423d9205b2b7bec1144d45d94c8ca37b0db519e1383a187",
    );
    expect(deriveKey(master, "session-token")).not.toEqual(deriveKey(master, "encryption"));
    expect(deriveKey(new Uint8Array(32).fill(2), "encryption")).not.toEqual(deriveKey(master, "encryption"));
  });

  test("a master key of another length is refused", () => {
    expect(() => deriveKey(new Uint8Array(31), "encryption")).toThrow(RangeError);
  });
});
