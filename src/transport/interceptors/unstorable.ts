import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

type AnyMessage = Record<string, unknown>;

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds: the bounds of a timestamp (google/protobuf/timestamp.proto). */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/**
 * Where a message holds what no database can. PostgreSQL's text has no NUL, and an unpaired surrogate (which JSON can
 * write, `"\ud800"`) is no Unicode text at all; a timestamp beyond its bounds (which only the binary format lets pass)
 * is no date. Found here, the caller learns which field it is.
 * @returns the path to the first such field, undefined if all is fine
 */
export function unstorable(schema: DescMessage, message: object): Path | undefined {
  return inMessage(schema, message as AnyMessage);
}

function inMessage(schema: DescMessage, message: AnyMessage): Path | undefined {
  if (schema.typeName === TimestampSchema.typeName) return isTimestamp(message as Timestamp) ? undefined : [];
  for (const field of searchedFields(schema)) {
    const value = fieldValue(field, message);
    if (value === undefined) continue;
    const rest = inField(field, value);
    if (rest) return [field, ...rest];
  }
  return undefined;
}

function inField(field: DescField, value: unknown): Path | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return isNoText(value as string) ? [] : undefined;
    case "message":
      return inMessage(field.message, value as AnyMessage);
    case "list": {
      const list = value as unknown[];
      for (let index = 0; index < list.length; index++) {
        const rest = inElement(field, list[index]);
        if (rest) return [{ kind: "list_sub", index }, ...rest];
      }
      return undefined;
    }
    case "map":
      for (const [key, element] of Object.entries(value as AnyMessage)) {
        const rest = isNoText(key) ? [] : inElement(field, element);
        // The key itself may be what can't be written: the map's name has to do.
        if (rest) return isNoText(key) ? [] : [{ kind: "map_sub", key }, ...rest];
      }
      return undefined;
    default:
      return undefined;
  }
}

function inElement(field: DescField & { fieldKind: "list" | "map" }, element: unknown): Path | undefined {
  if (field.message) return inMessage(field.message, element as AnyMessage);
  return field.scalar === ScalarType.STRING && isNoText(element as string) ? [] : undefined;
}

function fieldValue(field: DescField, message: AnyMessage): unknown {
  if (!field.oneof) return message[field.localName];
  const chosen = message[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function isNoText(text: string): boolean {
  return text.includes("\0") || !text.isWellFormed();
}

function isTimestamp({ seconds }: Timestamp): boolean {
  return seconds >= FIRST_SECOND && seconds <= LAST_SECOND;
}

const fieldsByMessage = new WeakMap<DescMessage, DescField[]>();

/** The fields that are text, or may hold text or a timestamp. */
function searchedFields(schema: DescMessage): DescField[] {
  let fields = fieldsByMessage.get(schema);
  if (!fields) {
    fields = schema.fields.filter(
      (field) =>
        field.message !== undefined || field.fieldKind === "map" || field.scalar === ScalarType.STRING,
    );
    fieldsByMessage.set(schema, fields);
  }
  return fields;
}
