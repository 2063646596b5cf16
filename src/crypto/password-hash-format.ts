/** An encoded password hash, taken apart; every parameter is within the bounds of `readPasswordHash`. */
export type PasswordHash =
  | {
      algorithm: "argon2id" | "argon2i";
      memoryKiB: number;
      passes: number;
      lanes: number;
      salt: Uint8Array;
      hash: Uint8Array;
    }
  | { algorithm: "bcrypt"; cost: number; encoded: string }
  | { algorithm: "scrypt"; logN: number; r: number; p: number; salt: Uint8Array; hash: Uint8Array }
  | { algorithm: "pbkdf2"; digest: string; rounds: number; salt: Uint8Array; hash: Uint8Array };

/** Why an encoded hash is not taken: a kind we do not know, a parameter outside its bounds, or no such text. */
export type PasswordHashRefusal = "unsupported" | "out_of_bounds" | "malformed";

export type PasswordHashReading =
  | { ok: true; value: PasswordHash }
  | { ok: false; reason: PasswordHashRefusal };

const refuse = (reason: PasswordHashRefusal): PasswordHashReading => ({ ok: false, reason });

const between = (value: number, least: number, most: number): boolean => value >= least && value <= most;

/**
 * Reads an encoded password hash and holds its parameters to bounds: whoever may import a user must not be able to
 * make every later check of its password cost gigabytes or minutes. At the upper bounds a check takes some seconds.
 *
 * | kind | text | bounds |
 * |---|---|---|
 * | Argon2id, Argon2i | `$argon2id$v=19$m=…,t=…,p=…$salt$hash` (PHC string, RFC 9106 version 1.3) | m 8p..262144 KiB, t 1..16, p 1..16, salt from 8 bytes |
 * | bcrypt | `$2a$`, `$2b$` or `$2y$`, cost, salt and hash | cost 4..16 |
 * | scrypt | `$scrypt$ln=…,r=…,p=…$salt$hash` (passlib, zitadel/passwap) | ln 1..20 and below 16r (RFC 7914 §2), r 1..32, p 1..16, N·r ≤ 2^21 (256 MiB), N·r·p ≤ 2^23 |
 * | PBKDF2 | `$pbkdf2$` (SHA-1) or `$pbkdf2-sha224$`, `-sha256$`, `-sha384$`, `-sha512$`, rounds, salt and hash (passlib: base64 with `.` for `+`) | rounds 1..5,000,000 |
 *
 * Salts have 4 to 128 bytes and hashes 16 to 128, in base64 without padding.
 * @param encoded any text at all
 * @returns the parts, or why not; never throws
 */
export function readPasswordHash(encoded: string): PasswordHashReading {
  // Longer than any text the bounds allow; the patterns below need not look at it.
  if (encoded.length > 512) return refuse("malformed");
  const kind = /^\$([a-z0-9-]{1,32})\$/.exec(encoded)?.[1];
  if (kind === undefined) return refuse("malformed");
  if (kind === "argon2id" || kind === "argon2i") return readArgon2(kind, encoded);
  if (kind === "2a" || kind === "2b" || kind === "2y") return readBcrypt(encoded);
  if (kind === "scrypt") return readScrypt(encoded);
  if (/^pbkdf2(-sha(224|256|384|512))?$/.test(kind)) return readPbkdf2(kind.slice(7) || "sha1", encoded);
  return refuse("unsupported");
}

function readArgon2(algorithm: "argon2id" | "argon2i", encoded: string): PasswordHashReading {
  const match = /^\$argon2id?(?:\$v=(\d+))?\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(encoded);
  if (match === null) return refuse("malformed");
  // Without a version it is 1.0, which OpenSSL does not compute.
  if (match[1] !== "19") return refuse("unsupported");
  const [memoryKiB, passes, lanes] = [Number(match[2]), Number(match[3]), Number(match[4])];
  const salted = readSaltAndHash(match[5]!, match[6]!);
  if (salted === undefined) return refuse("malformed");
  const inBounds =
    between(lanes, 1, 16) &&
    between(memoryKiB, 8 * lanes, 262_144) &&
    between(passes, 1, 16) &&
    salted.salt.length >= 8 &&
    lengthsInBounds(salted);
  return inBounds
    ? { ok: true, value: { algorithm, memoryKiB, passes, lanes, ...salted } }
    : refuse("out_of_bounds");
}

function readBcrypt(encoded: string): PasswordHashReading {
  const match = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/.exec(encoded);
  if (match === null) return refuse("malformed");
  const cost = Number(match[1]);
  return between(cost, 4, 16)
    ? { ok: true, value: { algorithm: "bcrypt", cost, encoded } }
    : refuse("out_of_bounds");
}

function readScrypt(encoded: string): PasswordHashReading {
  const match = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(encoded);
  if (match === null) return refuse("malformed");
  const [logN, r, p] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const salted = readSaltAndHash(match[4]!, match[5]!);
  if (salted === undefined) return refuse("malformed");
  const inBounds =
    between(r, 1, 32) &&
    between(logN, 1, Math.min(20, 16 * r - 1)) &&
    between(p, 1, 16) &&
    2 ** logN * r <= 2 ** 21 &&
    2 ** logN * r * p <= 2 ** 23 &&
    lengthsInBounds(salted);
  return inBounds
    ? { ok: true, value: { algorithm: "scrypt", logN, r, p, ...salted } }
    : refuse("out_of_bounds");
}

function readPbkdf2(digest: string, encoded: string): PasswordHashReading {
  const match = /^\$[a-z0-9-]+\$(\d+)\$([^$]+)\$([^$]+)$/.exec(encoded);
  if (match === null) return refuse("malformed");
  const rounds = Number(match[1]);
  const salted = readSaltAndHash(match[2]!.replaceAll(".", "+"), match[3]!.replaceAll(".", "+"));
  if (salted === undefined) return refuse("malformed");
  return between(rounds, 1, 5_000_000) && lengthsInBounds(salted)
    ? { ok: true, value: { algorithm: "pbkdf2", digest, rounds, ...salted } }
    : refuse("out_of_bounds");
}

type Salted = { salt: Uint8Array; hash: Uint8Array };

function readSaltAndHash(saltText: string, hashText: string): Salted | undefined {
  const salt = readBase64(saltText);
  const hash = readBase64(hashText);
  return salt && hash && { salt, hash };
}

const lengthsInBounds = ({ salt, hash }: Salted): boolean =>
  between(salt.length, 4, 128) && between(hash.length, 16, 128);

// Buffer skips what it does not understand; only what it would write the same way is taken.
function readBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return writeBase64(bytes) === text ? bytes : undefined;
}

/** Base64 without padding, as PHC strings have it. */
export const writeBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString("base64").replace(/=+$/, "");
