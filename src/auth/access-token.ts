import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { bytesToUuid, uuidToBytes } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import type { CallerRepository } from "../storage/caller-repository.ts";
import { type Caller, callerOfOwner } from "./caller.ts";

/** What secret scanners look for; also tells an access token from any other credential. */
const PREFIX = "gatehouse_at_";
const MAC_BYTES = 32;
const UUID_BYTES = 16;
const EPOCH_BYTES = 6;
const TIME_BYTES = 6;
const HEAD_BYTES = 1 + UUID_BYTES + EPOCH_BYTES + TIME_BYTES;

/** What an access token was exchanged for: a machine key's signature, or the client secret. By their first byte. */
const sources = ["key", "secret"] as const;

/** What an access token says. Whether that is still so is the database's to say. */
export type AccessClaims = {
  userId: string;
  source: (typeof sources)[number];
  /** Of the key or the secret; a UUID. */
  credentialId: string;
  /** The user's session epoch when it was issued: a lock in between ends it for good. */
  userEpoch: number;
  /** To the millisecond. */
  expiresAt: Date;
};

/**
 * Access tokens: `gatehouse_at_` and base64url of what {@link AccessClaims} holds, and an HMAC-SHA-256 over that. They
 * are not stored, so issuing one writes nothing; with a user id of ours they have 143 characters.
 */
export class AccessTokens {
  readonly #key: KeyObject;

  /** @param key 32 bytes, used for nothing else */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  issue({ userId, source, credentialId, userEpoch, expiresAt }: AccessClaims): string {
    const head = Buffer.alloc(HEAD_BYTES);
    let at = head.writeUInt8(sources.indexOf(source));
    at += Buffer.from(uuidToBytes(credentialId)).copy(head, at);
    at = head.writeUIntBE(userEpoch, at, EPOCH_BYTES);
    head.writeUIntBE(expiresAt.getTime(), at, TIME_BYTES);
    const claims = Buffer.concat([head, Buffer.from(userId)]);
    return PREFIX + Buffer.concat([this.#mac(claims), claims]).toString("base64url");
  }

  /** @returns undefined for anything this server never issued; takes the same time wherever the difference lies */
  read(token: string): AccessClaims | undefined {
    if (!isAccessToken(token)) return undefined;
    const bytes = Buffer.from(token.slice(PREFIX.length), "base64url");
    if (bytes.length <= MAC_BYTES + HEAD_BYTES) return undefined;
    const claims = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(this.#mac(claims), bytes.subarray(0, MAC_BYTES))) return undefined;
    const epochAt = 1 + UUID_BYTES;
    return {
      source: sources[claims.readUInt8() as 0 | 1],
      credentialId: bytesToUuid(claims.subarray(1, epochAt)),
      userEpoch: claims.readUIntBE(epochAt, EPOCH_BYTES),
      expiresAt: new Date(claims.readUIntBE(epochAt + EPOCH_BYTES, TIME_BYTES)),
      userId: claims.subarray(HEAD_BYTES).toString(),
    };
  }

  #mac(claims: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(claims).digest();
  }
}

/** Whether a credential is meant to be an access token; says nothing about its being genuine. */
export function isAccessToken(credential: string): boolean {
  return credential.startsWith(PREFIX);
}

/**
 * The caller behind an access token. Its key or secret is looked up each time, so that it ends with it.
 * @param now by the clock that issued it
 * @throws DomainError `auth.token_invalid`: never issued or expired; its key or secret is gone or expired; its user is
 *   not active, or was not in between
 */
export async function callerOfAccessToken(
  { callers, accessTokens }: { callers: CallerRepository; accessTokens: AccessTokens },
  credential: string,
  now: Date,
): Promise<Caller> {
  const claims = accessTokens.read(credential);
  if (!claims || claims.expiresAt <= now) throw new DomainError("auth.token_invalid");
  const { source, userId, credentialId, userEpoch } = claims;
  const owner = await (source === "key"
    ? callers.keyOwner(credentialId)
    : callers.secretOwner(userId, credentialId));
  if (owner?.userId !== userId || owner.userEpoch !== userEpoch) throw new DomainError("auth.token_invalid");
  return callerOfOwner(owner);
}
