import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { type AnyMessage, as, inOrderOfNumbers, isOrdinary, writtenValue } from "./schema.ts";
import { byProtobufEs, leaveIt, orLeft } from "./unusual.ts";
import { delimitedTag, valueTag } from "./wire-types.ts";

/**
 * Messages in the binary format, byte for byte as `toBinary` of protobuf-es has them, which takes two new buffers of a
 * kind that costs V8 more than all the rest for each.
 * @returns undefined for a message left to protobuf-es
 */
export function binaryEncoder(schema: DescMessage): (message: Message) => Uint8Array | undefined {
  const write = messageWriter(schema);
  return (message) =>
    orLeft(() => {
      output.at = 0;
      write(message);
      return output.copy();
    });
}

type Writer = (value: unknown) => void;
type FieldWriter = (message: AnyMessage) => void;

const writers = new WeakMap<DescMessage, Writer>();

function messageWriter(schema: DescMessage): Writer {
  const known = writers.get(schema);
  if (known !== undefined) return known;
  const fields: FieldWriter[] = [];
  const write: Writer = isOrdinary(schema)
    ? (value) => {
        const message = as.message(value, schema);
        if (message.$unknown !== undefined) leaveIt();
        for (const field of fields) field(message);
      }
    : (value) => output.raw(byProtobufEs(() => toBinary(schema, value as Message)));
  // Before its fields: a message may hold others of its own kind.
  writers.set(schema, write);
  if (isOrdinary(schema)) fields.push(...inOrderOfNumbers(schema).map(fieldWriter));
  return write;
}

function fieldWriter(field: DescField): FieldWriter {
  switch (field.fieldKind) {
    case "list":
      return listWriter(field);
    case "map":
      return mapWriter(field);
    default: {
      const written = writtenValue(field);
      const write = tagged(field.number, field);
      return (message) => {
        const value = written(message);
        if (value !== undefined) write(value);
      };
    }
  }
}

function listWriter(field: DescField & { fieldKind: "list" }): FieldWriter {
  const name = field.localName;
  if (field.packed) {
    const write = scalarWriter(field.scalar ?? ScalarType.INT32);
    const tag = delimitedTag(field.number);
    return (message) => {
      const items = as.list(message[name]);
      if (items.length === 0) return;
      output.uint32(tag);
      const start = output.open();
      for (const item of items) write(item);
      output.close(start);
    };
  }
  const write = tagged(field.number, field);
  return (message) => {
    for (const item of as.list(message[name])) write(item);
  };
}

function mapWriter(field: DescField & { fieldKind: "map" }): FieldWriter {
  const name = field.localName;
  const tag = delimitedTag(field.number);
  const keyTag = delimitedTag(1);
  const writeValue = tagged(2, field);
  return (message) => {
    const entries = as.map(message[name]);
    for (const key of Object.keys(entries)) {
      output.uint32(tag);
      const start = output.open();
      output.uint32(keyTag);
      output.string(key);
      writeValue(entries[key]);
      output.close(start);
    }
  };
}

/** Writes a value of the field, or of its list or map, with its tag. */
function tagged(number: number, field: DescField): Writer {
  if (field.message !== undefined) {
    const write = messageWriter(field.message);
    const tag = delimitedTag(number);
    return (value) => {
      output.uint32(tag);
      const start = output.open();
      write(value);
      output.close(start);
    };
  }
  const tag = valueTag(number, field);
  const write = scalarWriter(field.scalar ?? ScalarType.INT32);
  return (value) => {
    output.uint32(tag);
    write(value);
  };
}

function scalarWriter(scalar: ScalarType): Writer {
  switch (scalar) {
    case ScalarType.STRING:
      return (value) => output.string(as.text(value));
    case ScalarType.BOOL:
      return (value) => output.uint32(as.truth(value) ? 1 : 0);
    case ScalarType.BYTES:
      return (value) => {
        const bytes = as.bytes(value);
        output.uint32(bytes.byteLength);
        output.raw(bytes);
      };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (value) => output.uint53(as.integer(value));
    default:
      // Negative ones are ten bytes long, and rare.
      return (value) =>
        output.uint32(((value as number) | 0) === value && value >= 0 ? (value as number) : leaveIt());
  }
}

/** What is longer is left to protobuf-es, where a new buffer does not weigh. */
const MOST_BYTES = 64 * 1024;
/** Up to here a loop is faster than a call into V8. */
const SHORT_TEXT = 48;

/** Where messages are written, one at a time: none is begun before the last is copied out. */
class Output {
  readonly bytes = Buffer.allocUnsafeSlow(MOST_BYTES);
  at = 0;

  /** A number below 2^32. */
  uint32(value: number): void {
    this.#room(5);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  uint53(value: bigint): void {
    if (value < 0n || value > MOST_EXACT) leaveIt();
    this.#room(8);
    let rest = Number(value);
    while (rest > 0x7fffffff) {
      this.bytes[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.uint32(rest);
  }

  string(text: string): void {
    this.#room(text.length * 3 + 1);
    const start = this.open();
    if (text.length > SHORT_TEXT || !this.#ascii(text)) this.at = start + this.bytes.write(text, start);
    this.close(start);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.byteLength);
    this.bytes.set(bytes, this.at);
    this.at += bytes.byteLength;
  }

  /** What was written, for whoever wants to keep it. */
  copy(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.at);
    this.bytes.copy(bytes, 0, 0, this.at);
    return bytes;
  }

  /** Leaves a byte for the length of what follows. @returns where that starts, for {@link close} */
  open(): number {
    this.#room(1);
    this.at += 1;
    return this.at;
  }

  close(start: number): void {
    const length = this.at - start;
    const lengthOfLength = varintLength(length);
    if (lengthOfLength > 1) {
      this.#room(lengthOfLength);
      this.bytes.copyWithin(start - 1 + lengthOfLength, start, this.at);
    }
    this.at = start - 1;
    this.uint32(length);
    this.at += length;
  }

  #ascii(text: string): boolean {
    let { at } = this;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      this.bytes[at++] = code;
    }
    this.at = at;
    return true;
  }

  #room(length: number): void {
    if (this.at + length > MOST_BYTES) leaveIt();
  }
}

/** Of a length that fits into the output. */
const varintLength = (length: number): number => (length < 0x80 ? 1 : length < 0x4000 ? 2 : 3);

const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);
const output = new Output();
