import { type DescField, type DescMessage, type Message, ScalarType, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type AnyMessage, as, asBuffer, inOrderOfNumbers, isOrdinary, writtenValue } from "./schema.ts";
import { byProtobufEs, leaveIt, orLeft } from "./unusual.ts";

/**
 * Messages in JSON, letter by letter as `toJsonString` of protobuf-es has them.
 * @returns undefined for a message left to protobuf-es
 */
export function jsonEncoder(schema: DescMessage): (message: Message) => string | undefined {
  const encode = messageText(schema);
  return (message) => orLeft(() => encode(message));
}

type Text = (value: unknown) => string;
/** A member of an object, or nothing. */
type MemberText = (message: AnyMessage) => string;

const texts = new WeakMap<DescMessage, Text>();

function messageText(schema: DescMessage): Text {
  const known = texts.get(schema);
  if (known !== undefined) return known;
  const members: MemberText[] = [];
  const { typeName } = schema;
  // Types of protobuf's own have forms of their own.
  const isOurs = isOrdinary(schema) && !typeName.startsWith("google.protobuf.");
  const ours: Text = (value) => {
    const message = as.message(value, schema);
    let text = "";
    for (const member of members) {
      const next = member(message);
      if (next !== "") text = text === "" ? next : `${text},${next}`;
    }
    return `{${text}}`;
  };
  const text = isOurs
    ? ours
    : typeName === TimestampSchema.typeName
      ? timestampText
      : (value: unknown) => JSON.stringify(byProtobufEs(() => toJson(schema, value as Message)));
  // Before its fields: a message may hold others of its own kind.
  texts.set(schema, text);
  if (isOurs) members.push(...inOrderOfNumbers(schema).map(memberText));
  return text;
}

function memberText(field: DescField): MemberText {
  const name = field.localName;
  const key = `${JSON.stringify(field.jsonName)}:`;
  const textOf = valueText(field);
  switch (field.fieldKind) {
    case "list":
      return (message) => {
        const items = as.list(message[name]);
        return items.length === 0 ? "" : `${key}[${items.map(textOf).join(",")}]`;
      };
    case "map":
      return (message) => {
        const entries = as.map(message[name]);
        const keys = Object.keys(entries);
        if (keys.length === 0) return "";
        return `${key}{${keys.map((entry) => `${quoted(entry)}:${textOf(entries[entry])}`).join(",")}}`;
      };
    default: {
      const written = writtenValue(field);
      return (message) => {
        const value = written(message);
        return value === undefined ? "" : key + textOf(value);
      };
    }
  }
}

/** A value of the field, or of its list or map. */
function valueText(field: DescField): Text {
  if (field.message !== undefined) return messageText(field.message);
  if (field.enum !== undefined) {
    const { value: byNumber } = field.enum;
    return (value) => quoted(byNumber[as.number(value)]?.jsonName ?? leaveIt());
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return (value) => quoted(as.text(value));
    case ScalarType.BOOL:
      return (value) => String(as.truth(value));
    case ScalarType.BYTES:
      return (value) => `"${asBuffer(as.bytes(value)).toString("base64")}"`;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (value) => `"${as.integer(value)}"`;
    default:
      return (value) => (Number.isSafeInteger(value) ? String(value) : leaveIt());
  }
}

/** Printable ASCII that needs no escape. */
const plain = /^[ !#-[\]-~]*$/;
const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));

/** RFC 3339 in UTC, with three, six or nine digits of a second as needed (google/protobuf/timestamp.proto). */
function timestampText(value: unknown): string {
  const { seconds, nanos } = as.message(value, TimestampSchema);
  const whole = secondText(as.integer(seconds));
  if (nanos === 0) return `"${whole}Z"`;
  if (!Number.isInteger(nanos) || (nanos as number) < 0 || (nanos as number) > 999_999_999) leaveIt();
  const digits = String(nanos).padStart(9, "0");
  const shown = digits.endsWith("000000") ? 3 : digits.endsWith("000") ? 6 : 9;
  return `"${whole}.${digits.slice(0, shown)}Z"`;
}

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/** The last second that was written: most times under load are of the same one, and a date costs as much as the rest. */
let written = { second: 0n, text: "1970-01-01T00:00:00" };

function secondText(second: bigint): string {
  if (second === written.second) return written.text;
  if (second < FIRST_SECOND || second > LAST_SECOND) leaveIt();
  const text = new Date(Number(second) * 1000).toISOString().slice(0, -".000Z".length);
  written = { second, text };
  return text;
}
