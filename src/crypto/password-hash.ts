import { argon2Sync, pbkdf2Sync, randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { decodeBase64, hashSync } from "bcryptjs";
import type { PasswordHash, PasswordHashRefusal } from "./password-hash-format.ts";
import { readPasswordHash, writeBase64 } from "./password-hash-format.ts";

/**
 * What a new password is hashed with: Argon2id, 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet,
 * "Argon2id"). About 20 ms of one core.
 */
const today = { memoryKiB: 19_456, passes: 2, lanes: 1, saltBytes: 16, hashBytes: 32 } as const;

/** bcrypt looks at no more than these many bytes. */
const bcryptMaxBytes = 72;
/** `$2b$10$` and 22 characters of salt, then 31 characters that hold 23 bytes. */
const bcryptSaltEnd = 29;

/** What a check of a password found; `needsRehash` is only ever set beside `matches`. */
export type PasswordVerification = { matches: boolean; needsRehash: boolean };

/**
 * Hashes a password with today's parameters and a random salt. It keeps its thread busy for all that time:
 * `PasswordHasher` is for whoever serves others meanwhile.
 * @param password any text; hashed as UTF-8, not normalised, since imported hashes were not either
 * @returns a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, 97 characters
 */
export function hashPassword(password: string): string {
  const salt = randomBytes(today.saltBytes);
  const hash = argon2Sync("argon2id", {
    message: Buffer.from(password),
    nonce: salt,
    memory: today.memoryKiB,
    passes: today.passes,
    parallelism: today.lanes,
    tagLength: today.hashBytes,
  });
  const parameters = `m=${today.memoryKiB},t=${today.passes},p=${today.lanes}`;
  return `$argon2id$v=19$${parameters}$${writeBase64(salt)}$${writeBase64(hash)}`;
}

/**
 * Checks a password against an encoded hash of any kind `readPasswordHash` takes, comparing in constant time; like
 * `hashPassword` it keeps its thread busy.
 *
 * Against bcrypt, a password of more than 72 bytes never matches: bcrypt ignores the rest, and every password with
 * the same beginning would be let in. It is computed all the same, so that the refusal takes as long as any other.
 * @param encoded any text at all; what cannot be read, or is out of bounds, matches nothing
 * @returns `needsRehash` if it matched and algorithm or parameters are not those of `hashPassword`. No text makes
 *   it throw; only want of memory does.
 */
export function verifyPassword(password: string, encoded: string): PasswordVerification {
  const reading = readPasswordHash(encoded);
  const matches = reading.ok && matchesHash(password, reading.value);
  return { matches, needsRehash: matches && !isTodays(reading.value) };
}

/**
 * Says whether a hash from elsewhere may be stored: we can check passwords against it, and at a bearable cost.
 * Kinds, texts and bounds are listed at `readPasswordHash`.
 * @param encoded any text at all; never throws, and the answer repeats nothing of it
 */
export function parsePasswordHash(
  encoded: string,
): { ok: true } | { ok: false; reason: PasswordHashRefusal } {
  const reading = readPasswordHash(encoded);
  return reading.ok ? { ok: true } : reading;
}

function matchesHash(password: string, expected: PasswordHash): boolean {
  const message = Buffer.from(password);
  switch (expected.algorithm) {
    case "argon2id":
    case "argon2i": {
      const { memoryKiB: memory, passes, lanes: parallelism, salt: nonce, hash } = expected;
      const parameters = { message, nonce, memory, passes, parallelism, tagLength: hash.length };
      return timingSafeEqual(argon2Sync(expected.algorithm, parameters), hash);
    }
    case "bcrypt": {
      const matches = matchesBcrypt(password, expected.encoded);
      return matches && message.length <= bcryptMaxBytes;
    }
    case "scrypt": {
      // Node refuses more than 32 MiB unless told; the bounds stop at 256 MiB and a little.
      const cost = { N: 2 ** expected.logN, r: expected.r, p: expected.p, maxmem: 512 * 2 ** 20 };
      return timingSafeEqual(scryptSync(message, expected.salt, expected.hash.length, cost), expected.hash);
    }
    case "pbkdf2": {
      const { salt, rounds, hash, digest } = expected;
      return timingSafeEqual(pbkdf2Sync(message, salt, rounds, hash.length, digest), hash);
    }
  }
}

function matchesBcrypt(password: string, encoded: string): boolean {
  // Decoded first: the last character carries two bits of padding that some libraries leave set.
  return timingSafeEqual(
    bcryptDigestOf(hashSync(password, encoded.slice(0, bcryptSaltEnd))),
    bcryptDigestOf(encoded),
  );
}

const bcryptDigestOf = (encoded: string): Uint8Array =>
  Uint8Array.from(decodeBase64(encoded.slice(bcryptSaltEnd), 23));

const isTodays = (hash: PasswordHash): boolean =>
  hash.algorithm === "argon2id" &&
  hash.memoryKiB === today.memoryKiB &&
  hash.passes === today.passes &&
  hash.lanes === today.lanes &&
  hash.salt.length >= today.saltBytes &&
  hash.hash.length === today.hashBytes;
