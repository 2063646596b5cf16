import type { Argon2Algorithm, Argon2Parameters } from "node:crypto";
import { argon2, pbkdf2, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import type { BcryptJob } from "./bcrypt-worker.ts";
import type { PasswordHash, PasswordHashRefusal } from "./password-hash-format.ts";
import { readPasswordHash, writeBase64 } from "./password-hash-format.ts";

/**
 * What a new password is hashed with: Argon2id, 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet,
 * "Argon2id"). About 50 ms of one core.
 */
const today = { memoryKiB: 19_456, passes: 2, lanes: 1, saltBytes: 16, hashBytes: 32 } as const;

/** bcrypt looks at no more than these many bytes. */
const bcryptMaxBytes = 72;

const computeArgon2 = promisify<Argon2Algorithm, Argon2Parameters, Buffer>(argon2);
const computePbkdf2 = promisify(pbkdf2);
const computeScrypt = promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt);

/** What a check of a password found; `needsRehash` is only ever set beside `matches`. */
export type PasswordVerification = { matches: boolean; needsRehash: boolean };

/**
 * Hashes a password with today's parameters and a random salt. Runs on a thread of the pool.
 * @param password any text; hashed as UTF-8, not normalised, since imported hashes were not either
 * @returns a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, 97 characters
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(today.saltBytes);
  const hash = await computeArgon2("argon2id", {
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
 * Checks a password against an encoded hash of any kind `readPasswordHash` takes, comparing in constant time.
 *
 * Against bcrypt, a password of more than 72 bytes never matches: bcrypt ignores the rest, and every password with
 * the same beginning would be let in. It is computed all the same, so that the refusal takes as long as any other.
 * @param encoded any text at all; what cannot be read, or is out of bounds, matches nothing
 * @returns `needsRehash` if it matched and algorithm or parameters are not those of `hashPassword`. No text makes
 *   it throw; only want of memory or of a thread does.
 */
export async function verifyPassword(password: string, encoded: string): Promise<PasswordVerification> {
  const reading = readPasswordHash(encoded);
  const matches = reading.ok && (await matchesHash(password, reading.value));
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

async function matchesHash(password: string, expected: PasswordHash): Promise<boolean> {
  const message = Buffer.from(password);
  switch (expected.algorithm) {
    case "argon2id":
    case "argon2i": {
      const { memoryKiB: memory, passes, lanes: parallelism, salt: nonce, hash } = expected;
      const parameters = { message, nonce, memory, passes, parallelism, tagLength: hash.length };
      return timingSafeEqual(await computeArgon2(expected.algorithm, parameters), hash);
    }
    case "bcrypt": {
      const matches = await matchesBcrypt({ password, encoded: expected.encoded });
      return matches && message.length <= bcryptMaxBytes;
    }
    case "scrypt": {
      // Node refuses more than 32 MiB unless told; the bounds stop at 256 MiB and a little.
      const cost = { N: 2 ** expected.logN, r: expected.r, p: expected.p, maxmem: 512 * 2 ** 20 };
      return timingSafeEqual(
        await computeScrypt(message, expected.salt, expected.hash.length, cost),
        expected.hash,
      );
    }
    case "pbkdf2": {
      const { salt, rounds, hash, digest } = expected;
      return timingSafeEqual(await computePbkdf2(message, salt, rounds, hash.length, digest), hash);
    }
  }
}

function matchesBcrypt(job: BcryptJob): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./bcrypt-worker.ts", import.meta.url), { workerData: job });
    worker.once("message", resolve);
    worker.once("error", reject);
    // Settles nothing if an answer came before; a thread that died without one must not leave the caller waiting.
    worker.once("exit", () => reject(new Error("the bcrypt thread ended without an answer")));
  });
}

const isTodays = (hash: PasswordHash): boolean =>
  hash.algorithm === "argon2id" &&
  hash.memoryKiB === today.memoryKiB &&
  hash.passes === today.passes &&
  hash.lanes === today.lanes &&
  hash.salt.length >= today.saltBytes &&
  hash.hash.length === today.hashBytes;
