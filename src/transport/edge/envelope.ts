/** gRPC and gRPC-Web put a flag byte and the length in four bytes before each message. */
export const envelopeBytes = 5;

export const compressedFlag = 1;
export const trailerFlag = 0x80;

/** Bytes in an envelope, after `before` if there is something to go first. */
export function enveloped(flags: number, bytes: Uint8Array, before?: Uint8Array): Uint8Array {
  const start = before === undefined ? 0 : before.byteLength;
  const length = bytes.byteLength;
  const out = Buffer.allocUnsafe(start + envelopeBytes + length);
  if (before !== undefined) out.set(before);
  out[start] = flags;
  out.writeUInt32BE(length, start + 1);
  out.set(bytes, start + envelopeBytes);
  return out;
}

/** @returns what is in the only envelope of a body; undefined if it is compressed, or anything is missing or left over */
export function unwrap(body: Uint8Array): Uint8Array | undefined {
  if (body.byteLength < envelopeBytes || body[0] !== 0) return undefined;
  const length = ((body[1]! << 24) | (body[2]! << 16) | (body[3]! << 8) | body[4]!) >>> 0;
  return length === body.byteLength - envelopeBytes ? body.subarray(envelopeBytes) : undefined;
}
