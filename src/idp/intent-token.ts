import { createHmac, timingSafeEqual } from "node:crypto";
import { bytesToUuid, isUuid, uuidToBytes } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";

const ID_BYTES = 16;
const MAC_BYTES = 32;

/**
 * The token that proves presence at the end of an intent: the intent's id and an HMAC-SHA256 of it, base64url without
 * padding, 64 characters. Nothing of it is stored, and nobody without the key can make one for another intent.
 */
export class IntentTokens {
  readonly #key: Uint8Array;

  /** @param key 32 bytes from `deriveKey`, for this purpose alone */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param intentId a UUID */
  issue(intentId: string): string {
    const id = uuidToBytes(intentId);
    return Buffer.concat([id, this.#mac(id)]).toString("base64url");
  }

  /**
   * Refuses every text that was not issued for this intent.
   * @throws DomainError `session.intent_token_empty`, `…_malformed` (no base64url), `…_forged` (not issued here),
   *   `…_other` (issued for another intent)
   */
  verify(token: string, intentId: string): void {
    if (token === "") throw new DomainError("session.intent_token_empty");
    const bytes = Buffer.from(token, "base64url");
    // Node skips what is not base64url, and two texts must not be one token.
    if (bytes.toString("base64url") !== token) throw new DomainError("session.intent_token_malformed");
    const [id, mac] = [bytes.subarray(0, ID_BYTES), bytes.subarray(ID_BYTES)];
    if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#mac(id))) {
      throw new DomainError("session.intent_token_forged");
    }
    if (!isUuid(intentId) || bytesToUuid(id) !== intentId)
      throw new DomainError("session.intent_token_other");
  }

  #mac(id: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update("idp intent").update(id).digest();
  }
}
