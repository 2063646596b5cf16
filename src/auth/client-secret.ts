import { hash, timingSafeEqual } from "node:crypto";
import { randomToken } from "../crypto/random-ids.ts";

/** What secret scanners look for. */
const PREFIX = "gatehouse_cs_";
const RANDOM_BYTES = 32;

/** A new secret; shown once, stored as its digest. */
export function newClientSecret(): string {
  return PREFIX + randomToken(RANDOM_BYTES);
}

/** SHA-256, base64url. The text holds 256 random bits, so there is nothing to guess and no salt is needed. */
export function clientSecretDigest(secret: string): string {
  return hash("sha256", secret, "base64url");
}

/** Constant-time comparison of a given secret with the stored digest. */
export function isClientSecret(secret: string, digest: string): boolean {
  const [given, stored] = [Buffer.from(clientSecretDigest(secret)), Buffer.from(digest)];
  return given.length === stored.length && timingSafeEqual(given, stored);
}
