import { isUtf8 } from "node:buffer";
import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type AnyMessage, as, asBuffer, isOrdinary } from "./schema.ts";
import { byProtobufEs, leaveIt, orLeft } from "./unusual.ts";

/**
 * Messages out of JSON as `fromJsonString` of protobuf-es reads them, which looks at every letter once more to find keys
 * that are there twice. What it would refuse, or ignore, is left to it.
 * @returns undefined for a text left to protobuf-es
 */
export function jsonDecoder(schema: DescMessage): (json: Uint8Array) => Message | undefined {
  const read = messageReader(schema);
  return (json) =>
    orLeft(() => {
      const text = textOf(json);
      keysRead = 0;
      const message = read(
        byProtobufEs(() => JSON.parse(text) as JsonValue),
        1,
      );
      // An object of JavaScript has a key once, however often it was written.
      return keysRead === keysIn(text) ? message : leaveIt();
    });
}

type Reader<Value> = (json: JsonValue, depth: number) => Value;
type MemberReader = (message: AnyMessage, json: JsonValue, depth: number, siblings: JsonObject) => void;

/** Of the text that is being read. */
let keysRead = 0;

/** Far below where protobuf-es refuses. */
const DEEPEST = 50;

const readers = new WeakMap<DescMessage, Reader<Message>>();

function messageReader(schema: DescMessage): Reader<Message> {
  const known = readers.get(schema);
  if (known !== undefined) return known;
  const members = new Map<string, MemberReader>();
  const read: Reader<Message> = (json, depth) => {
    const object = isObject(json) && depth < DEEPEST ? json : leaveIt();
    const message = create(schema);
    for (const key in object) {
      const member = members.get(key) ?? leaveIt();
      keysRead += 1;
      member(message as unknown as AnyMessage, object[key]!, depth, object);
    }
    return message;
  };
  // Before its fields: a message may hold others of its own kind.
  readers.set(schema, read);
  if (!isOrdinary(schema)) return read;
  for (const field of schema.fields) {
    const member = memberReader(field);
    if (member === undefined) continue;
    members.set(field.name, (message, json, depth, siblings) => {
      if (Object.hasOwn(siblings, field.jsonName)) leaveIt();
      member(message, json, depth, siblings);
    });
    members.set(field.jsonName, member);
  }
  return read;
}

/** @returns undefined for a field that is left to protobuf-es */
function memberReader(field: DescField): MemberReader | undefined {
  const read = valueReader(field);
  if (read === undefined) return undefined;
  const name = field.localName;
  switch (field.fieldKind) {
    case "list":
      return (message, json, depth) => {
        const items = message[name] as unknown[];
        for (const item of as.list(json)) items.push(read(item as JsonValue, depth + 1));
      };
    case "map":
      return (message, json, depth) => {
        const object = isObject(json) ? json : leaveIt();
        const entries = message[name] as AnyMessage;
        for (const key in object) {
          if (key === "__proto__") leaveIt();
          keysRead += 1;
          entries[key] = read(object[key]!, depth + 1);
        }
      };
    default: {
      if (field.oneof === undefined) {
        return (message, json, depth) => {
          message[name] = read(json, depth + 1);
        };
      }
      const choice = field.oneof.localName;
      return (message, json, depth) => {
        if (as.choice(message[choice]).case !== undefined) leaveIt();
        message[choice] = { case: name, value: read(json, depth + 1) };
      };
    }
  }
}

/** Reads a value of the field, or of its list or map. */
function valueReader(field: DescField): Reader<unknown> | undefined {
  if (field.message !== undefined) {
    const schema = field.message;
    if (schema.typeName === TimestampSchema.typeName || schema.typeName === DurationSchema.typeName)
      return (json) => byProtobufEs(() => fromJson(schema, json));
    return schema.typeName.startsWith("google.protobuf.") ? undefined : messageReader(schema);
  }
  if (field.enum !== undefined) {
    const numbers = new Map<JsonValue, number>(field.enum.values.map(({ name, number }) => [name, number]));
    return (json) => numbers.get(json) ?? leaveIt();
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return as.text;
    case ScalarType.BOOL:
      return as.truth;
    case ScalarType.BYTES:
      return (json) =>
        typeof json === "string" && base64.test(json)
          ? new Uint8Array(Buffer.from(json, "base64"))
          : leaveIt();
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (json) => {
        if (typeof json === "string" && decimal.test(json)) return BigInt(json);
        return isSmall(json) ? BigInt(json) : leaveIt();
      };
    default:
      return (json) => (isSmall(json) ? json : leaveIt());
  }
}

const isObject = (json: JsonValue): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json);

/** A number from 0 to 2^31 - 1, and not the other zero. */
const isSmall = (json: JsonValue): json is number =>
  typeof json === "number" && json >= 0 && Object.is(json | 0, json);

const decimal = /^(?:0|[1-9]\d{0,17})$/;
/** With its padding (RFC 4648, section 4), and no bits left over. */
const base64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/][AQgw]==|[A-Za-z\d+/]{2}[AEIMQUYcgkosw048]=)?$/;

function textOf(json: Uint8Array): string {
  if (!isUtf8(json)) leaveIt();
  const text = asBuffer(json).toString();
  // An escape may hide a quotation mark, or a key's second spelling.
  return text.includes("\\") ? leaveIt() : text;
}

/**
 * How many keys are written in a text without escapes: a colon behind a quotation mark. It may be one too many, where a
 * value begins with a colon, and never one too few.
 */
function keysIn(text: string): number {
  let keys = 0;
  for (let colon = text.indexOf(":"); colon >= 0; colon = text.indexOf(":", colon + 1)) {
    let before = colon - 1;
    while (text.charCodeAt(before) <= 0x20) before -= 1;
    if (text.charCodeAt(before) === 0x22) keys += 1;
  }
  return keys;
}
