import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto";
import { bytesToUuid, randomBytes, uuidToBytes } from "../crypto/random-ids.ts";

/** What secret scanners look for; also tells a session token from any other credential. */
const PREFIX = "gatehouse_st_";
const ID_BYTES = 16;
const MAC_BYTES = 32;

/** A token whose MAC is right: it was issued here, for this session. Whether it is still the current one is the row's to say. */
export type GenuineToken = { sessionId: string; digest: string };

/**
 * Session tokens: `gatehouse_st_` and base64url of session id (16 bytes), random token id (16 bytes) and HMAC-SHA-256
 * over both (32 bytes); 99 characters. Only a digest of the token id is stored, so neither a copy of the database nor
 * the key alone makes a valid token, and a made-up one is refused without asking the database.
 */
export class SessionTokens {
  readonly #key: KeyObject;

  /** @param key 32 bytes, used for nothing else */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** A new token for a session, and the digest to store in its place. */
  issue(sessionId: string): { token: string; digest: string } {
    const tokenId = randomBytes(ID_BYTES);
    const ids = Buffer.concat([uuidToBytes(sessionId), tokenId]);
    return {
      token: PREFIX + Buffer.concat([ids, this.#mac(ids)]).toString("base64url"),
      digest: digestOf(tokenId),
    };
  }

  /** @returns undefined for anything this server never issued; takes the same time wherever the difference lies */
  read(token: string): GenuineToken | undefined {
    if (!isSessionToken(token)) return undefined;
    const bytes = Buffer.from(token.slice(PREFIX.length), "base64url");
    if (bytes.length !== 2 * ID_BYTES + MAC_BYTES) return undefined;
    const ids = bytes.subarray(0, 2 * ID_BYTES);
    if (!timingSafeEqual(this.#mac(ids), bytes.subarray(2 * ID_BYTES))) return undefined;
    return { sessionId: bytesToUuid(ids.subarray(0, ID_BYTES)), digest: digestOf(ids.subarray(ID_BYTES)) };
  }

  #mac(ids: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(ids).digest();
  }
}

/** Whether a credential is meant to be a session token; says nothing about its being genuine. */
export function isSessionToken(credential: string): boolean {
  return credential.startsWith(PREFIX);
}

/** Constant-time comparison of a genuine token with the digest a session has stored. */
export function isCurrent(token: GenuineToken, session: { id: string; tokenDigest: string | null }): boolean {
  if (token.sessionId !== session.id || session.tokenDigest === null) return false;
  const [given, stored] = [Buffer.from(token.digest), Buffer.from(session.tokenDigest)];
  return given.length === stored.length && timingSafeEqual(given, stored);
}

// The token id is 128 random bits: nothing to guess, so a plain hash is enough.
function digestOf(tokenId: Uint8Array): string {
  return hash("sha256", tokenId, "base64url");
}
