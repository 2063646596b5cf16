import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type AnyMessage, as, asBuffer, isOrdinary } from "./schema.ts";
import { byProtobufEs, leaveIt, orLeft } from "./unusual.ts";
import { delimitedTag, valueTag } from "./wire-types.ts";

/**
 * Messages out of the binary format as `fromBinary` of protobuf-es reads them. What it would refuse, keep as unknown, or
 * put together of several pieces is left to it.
 * @returns undefined for bytes left to protobuf-es
 */
export function binaryDecoder(schema: DescMessage): (bytes: Uint8Array) => Message | undefined {
  const read = messageReader(schema);
  return (bytes) =>
    orLeft(() => {
      input.open(bytes);
      return read(bytes.byteLength, 1);
    });
}

/** Reads what is left up to that place. */
type MessageReader = (end: number, depth: number) => Message;
type Reader = (depth: number) => unknown;
type FieldReader = (message: AnyMessage, depth: number) => void;

/** Far below where protobuf-es refuses. */
const DEEPEST = 50;

const readers = new WeakMap<DescMessage, MessageReader>();

function messageReader(schema: DescMessage): MessageReader {
  const known = readers.get(schema);
  if (known !== undefined) return known;
  // By tag, so that a field in another wire type than its own is left as well.
  const fields = new Map<number, FieldReader>();
  const read: MessageReader = isOrdinary(schema)
    ? (end, depth) => {
        const message = depth < DEEPEST ? create(schema) : leaveIt();
        while (input.at < end) {
          const field = fields.get(input.uint32()) ?? leaveIt();
          field(message as unknown as AnyMessage, depth);
        }
        return input.at === end ? message : leaveIt();
      }
    : (end) => {
        const bytes = input.bytes(end - input.at);
        return byProtobufEs(() => fromBinary(schema, bytes));
      };
  // Before its fields: a message may hold others of its own kind.
  readers.set(schema, read);
  if (!isOrdinary(schema)) return read;
  for (const field of schema.fields) {
    const { number } = field;
    const isPacked = field.fieldKind === "list" && field.packed;
    const tag = isPacked || field.fieldKind === "map" ? delimitedTag(number) : valueTag(number, field);
    fields.set(tag, fieldReader(field));
  }
  return read;
}

function fieldReader(field: DescField): FieldReader {
  const name = field.localName;
  const read = valueReader(field);
  switch (field.fieldKind) {
    case "list":
      if (!field.packed) return (message, depth) => as.list(message[name]).push(read(depth));
      return (message, depth) => {
        const items = as.list(message[name]);
        const end = input.end();
        while (input.at < end) items.push(read(depth));
        if (input.at > end) leaveIt();
      };
    case "map": {
      const [keyTag, entryTag] = [delimitedTag(1), valueTag(2, field)];
      return (message, depth) => {
        const end = input.end();
        const key = input.uint32() === keyTag ? input.text() : leaveIt();
        if (key === "__proto__" || input.uint32() !== entryTag) leaveIt();
        as.map(message[name])[key] = read(depth);
        if (input.at !== end) leaveIt();
      };
    }
    default: {
      if (field.oneof !== undefined) {
        const choice = field.oneof.localName;
        return (message, depth) => {
          if (as.choice(message[choice]).case !== undefined) leaveIt();
          message[choice] = { case: name, value: read(depth) };
        };
      }
      if (field.message === undefined) {
        return (message, depth) => {
          message[name] = read(depth);
        };
      }
      return (message, depth) => {
        message[name] = message[name] === undefined ? read(depth) : leaveIt();
      };
    }
  }
}

/** Reads a value of the field, or of its list or map. */
function valueReader(field: DescField): Reader {
  if (field.message !== undefined) {
    const read = messageReader(field.message);
    return (depth) => read(input.end(), depth + 1);
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return () => input.text();
    case ScalarType.BYTES:
      return () => input.bytes(input.uint32());
    case ScalarType.BOOL:
      return () => {
        const value = input.uint32();
        return value < 2 ? value === 1 : leaveIt();
      };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return () => BigInt(input.uint32());
    default:
      return () => {
        const value = input.uint32();
        return value <= MOST_POSITIVE ? value : leaveIt();
      };
  }
}

/** Above it a number of 32 bits may be a negative one. */
const MOST_POSITIVE = 0x7fffffff;

/** What is being read, one message at a time. */
class Input {
  at = 0;
  #given: Uint8Array = new Uint8Array();
  /** The same bytes. */
  #buffer: Buffer = Buffer.alloc(0);

  open(bytes: Uint8Array): void {
    this.at = 0;
    this.#given = bytes;
    this.#buffer = asBuffer(bytes);
  }

  /** A number below 2^32; larger ones are left. */
  uint32(): number {
    const buffer = this.#buffer;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = buffer[this.at++] ?? leaveIt();
      if (shift === 28 && byte > 0x0f) leaveIt();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    return leaveIt();
  }

  /** Where what starts here ends, by the length before it. */
  end(): number {
    const length = this.uint32();
    const end = this.at + length;
    return end <= this.#buffer.byteLength ? end : leaveIt();
  }

  text(): string {
    const end = this.end();
    const text = this.#buffer.toString("utf8", this.at, end);
    this.at = end;
    // In the place of bytes that are no UTF-8, mostly.
    return text.includes("\ufffd") ? leaveIt() : text;
  }

  bytes(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#buffer.byteLength) leaveIt();
    const bytes = this.#given.subarray(this.at, end);
    this.at = end;
    return bytes;
  }
}

const input = new Input();
