import { randomFillSync } from "node:crypto";

const pool = new Uint8Array(4_096);
let drawn = pool.length;

/**
 * Unguessable bytes, at most 4,096: a few out of many drawn at once, which takes OpenSSL hardly longer. None is handed
 * out twice or kept after it was handed out.
 */
export function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  if (drawn + count > pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const bytes = pool.slice(drawn, drawn + count);
  pool.fill(0, drawn, drawn + count);
  drawn += count;
  return bytes;
}

/** A clock that steps back by less than this is an adjustment to sit out; by more, another clock to follow. */
const clockStepToleranceMs = 10_000;
const counterMax = 0xfff;

let lastMs = 0;
let counter = 0;

/**
 * A new UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, a 12-bit counter, 62 random bits.
 *
 * Ids of one process are strictly increasing as text, within a millisecond too (§6.2, method 1: the counter starts
 * at a random value below 2048 each millisecond; should it run out, the id borrows the next millisecond). The 62
 * bits are drawn anew each time, so that no id lets anyone guess its neighbour.
 * @param nowMs milliseconds since 1970; below 2^48
 * @returns lower case, 36 characters
 */
export function uuidV7(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  const now = Math.floor(nowMs);
  if (now > lastMs || lastMs - now > clockStepToleranceMs) {
    lastMs = now;
    counter = ((bytes[6]! << 8) | bytes[7]!) & 0x7ff;
  } else if (counter < counterMax) {
    counter += 1;
  } else {
    lastMs += 1;
    counter = ((bytes[6]! << 8) | bytes[7]!) & 0x7ff;
  }
  new DataView(bytes.buffer).setUint32(0, Math.floor(lastMs / 0x10000));
  new DataView(bytes.buffer).setUint16(4, lastMs % 0x10000);
  bytes[6] = 0x70 | (counter >> 8);
  bytes[7] = counter & 0xff;
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytesToUuid(bytes);
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Whether the text is a UUID of any version, written as we write them.
 *
 * Upper case is refused although RFC 9562 lets a reader accept it: an id is compared as text in too many places
 * for one session to have two names.
 */
export const isUuid = (text: string): boolean => uuidPattern.test(text);

/**
 * The 16 bytes of a UUID.
 * @throws TypeError if `isUuid` would say no
 */
export function uuidToBytes(uuid: string): Uint8Array<ArrayBuffer> {
  if (!isUuid(uuid)) throw new TypeError("not a UUID in lower case");
  return Uint8Array.from(Buffer.from(uuid.replaceAll("-", ""), "hex"));
}

/**
 * The text of a UUID, in lower case; the inverse of `uuidToBytes`.
 * @throws TypeError unless there are exactly 16 bytes
 */
export function bytesToUuid(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new TypeError("a UUID has 16 bytes");
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * An unguessable text: so many random bytes as unpadded base64url (RFC 4648 §5).
 * @param bytes how much randomness; 16 is the least for anything that must not be guessed
 */
export const randomToken = (bytes: number): string =>
  Buffer.from(randomBytes(bytes).buffer).toString("base64url");
