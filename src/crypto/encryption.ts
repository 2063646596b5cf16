import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

/*
 * What an encrypted secret looks like at rest:
 *
 *   byte  0      format version, 1
 *   bytes 1–4    id of the key, so that a rotation can tell old from new
 *   bytes 5–16   nonce, random for every encryption
 *   bytes 17–32  GCM tag
 *   bytes 33–    ciphertext, as long as the plaintext
 *
 * Version and key id are authenticated together with the caller's associated data.
 */
const version = 1;
const keyIdLength = 4;
const nonceLength = 12;
const tagLength = 16;
const headerLength = 1 + keyIdLength;
const overhead = headerLength + nonceLength + tagLength;

/** Why `decrypt` gave nothing back. */
export type DecryptionFailure = "unknown_format" | "other_key" | "tampered";

/** Carries the reason and nothing of the data. */
export class DecryptionError extends Error {
  readonly reason: DecryptionFailure;

  constructor(reason: DecryptionFailure) {
    super(
      {
        unknown_format: "the encrypted value has an unknown format",
        other_key: "the value was encrypted under another key",
        tampered: "the encrypted value was changed or belongs to something else",
      }[reason],
    );
    this.name = "DecryptionError";
    this.reason = reason;
  }
}

/**
 * A key for one purpose, derived from the master key by HKDF-SHA256 (RFC 5869) with no salt and the purpose as info.
 * Keys of different purposes tell nothing about each other or about the master key.
 * @param masterKey 32 bytes
 * @param purpose   a constant of ours such as `"encryption"`; changing one orphans what it protects
 * @returns 32 bytes
 * @throws RangeError if the master key does not have 32 bytes
 */
export function deriveKey(masterKey: Uint8Array, purpose: string): Uint8Array {
  if (masterKey.length !== 32) throw new RangeError("the master key has 32 bytes");
  return new Uint8Array(hkdfSync("sha256", masterKey, new Uint8Array(0), `gatehouse ${purpose}`, 32));
}

/**
 * Encrypts with AES-256-GCM (NIST SP 800-38D) under a random nonce; one key is good for 2^32 values (§8.3).
 * @param key 32 bytes, from `deriveKey`
 * @param associatedData whose secret this is (`user/<id>/totp`): decryption demands the same text, so a value
 *   copied to another row is refused there
 * @returns 33 bytes more than the plaintext, laid out as shown at the top of this file
 */
export function encrypt(key: Uint8Array, plaintext: Uint8Array, associatedData: string): Uint8Array {
  const header = Buffer.concat([Uint8Array.of(version), keyId(key)]);
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength });
  cipher.setAAD(Buffer.concat([header, Buffer.from(associatedData)]));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return new Uint8Array(Buffer.concat([header, nonce, cipher.getAuthTag(), ciphertext]));
}

/**
 * The plaintext `encrypt` was given.
 * @throws DecryptionError `other_key` if another key must be tried, `tampered` if value or associated data changed
 */
export function decrypt(key: Uint8Array, encrypted: Uint8Array, associatedData: string): Uint8Array {
  if (encrypted.length < overhead || encrypted[0] !== version) throw new DecryptionError("unknown_format");
  const header = encrypted.subarray(0, headerLength);
  if (!keyId(key).equals(header.subarray(1))) throw new DecryptionError("other_key");
  const nonce = encrypted.subarray(headerLength, headerLength + nonceLength);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength });
  decipher.setAAD(Buffer.concat([header, Buffer.from(associatedData)]));
  decipher.setAuthTag(encrypted.subarray(headerLength + nonceLength, overhead));
  try {
    const plaintext = [decipher.update(encrypted.subarray(overhead)), decipher.final()];
    return new Uint8Array(Buffer.concat(plaintext));
  } catch {
    throw new DecryptionError("tampered");
  }
}

// A one-way tag of the key itself: nobody has to hand out ids, and two keys meet once in 2^32.
const keyId = (key: Uint8Array): Buffer =>
  createHmac("sha256", key).update("gatehouse key id").digest().subarray(0, keyIdLength);
