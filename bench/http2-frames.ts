/** HTTP/2 on the wire (RFC 9113 §4.1 and §6), as far as a client needs it that sends small requests. */
export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
} as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export type Frame = { type: number; flags: number; stream: number; payload: Buffer };

const HEAD_BYTES = 9;

export function encodeFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** @param pairs identifiers of RFC 9113 §6.5.2 with their values */
export function encodeSettings(...pairs: [id: number, value: number][]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  });
  return encodeFrame(FRAME.SETTINGS, 0, 0, payload);
}

export function encodeWindowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return encodeFrame(FRAME.WINDOW_UPDATE, 0, 0, payload);
}

/** Cuts a connection's bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #skip: number;

  /** @param skip bytes before the first frame: a client's preface */
  constructor(skip = 0) {
    this.#skip = skip;
  }

  /** @returns the frames that are complete now */
  push(bytes: Buffer): Frame[] {
    const received = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    let at = Math.min(this.#skip, received.length);
    this.#skip -= at;
    while (received.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + received.readUIntBE(at, 3);
      if (received.length < end) break;
      frames.push({
        type: received.readUInt8(at + 3),
        flags: received.readUInt8(at + 4),
        stream: received.readUInt32BE(at + 5) & 0x7f_ff_ff_ff,
        payload: received.subarray(at + HEAD_BYTES, end),
      });
      at = end;
    }
    this.#rest = received.subarray(at);
    return frames;
  }
}

/** What a client says first (RFC 9113 §3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Header fields as literals that enter no table (RFC 7541 §6.2.2), in plain text. */
export function encodeHeaders(headers: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    parts.push(Buffer.from([0]), encodeString(name), encodeString(value));
  }
  return Buffer.concat(parts);
}

/** RFC 7541 §5.1 and §5.2. */
function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
