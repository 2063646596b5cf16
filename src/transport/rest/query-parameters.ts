import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Adds query parameters to a message in JSON form: names in snake or lowerCamel case, dots for nesting, repetition for
 * lists. Unknown names, and fields the path has set already, are ignored.
 * @throws ConnectError INVALID_ARGUMENT if a value cannot be one of its field
 */
export function addQueryParameters(
  json: JsonObject,
  message: DescMessage,
  search: string,
  taken: readonly (readonly DescField[])[],
): void {
  for (const [name, value] of new URLSearchParams(search)) {
    const path = resolveParameter(message, name);
    if (path !== undefined && !taken.some((fields) => isPrefix(fields, path))) setField(json, path, value);
  }
}

/** Sets one field, given as the fields that lead to it; overwrites whatever stood there, under either of its names. */
export function replaceField(json: JsonObject, path: readonly DescField[], value: string): void {
  const target = descend(json, path);
  const field = path.at(-1)!;
  delete target[field.name];
  target[field.jsonName] = parseValue(field, value);
}

function setField(json: JsonObject, path: readonly DescField[], value: string): void {
  const target = descend(json, path);
  const field = path.at(-1)!;
  const parsed = parseValue(field, value);
  const existing = target[field.jsonName];
  if (field.fieldKind !== "list") {
    if (existing !== undefined) throw unparsable(field, "given more than once");
    target[field.jsonName] = parsed;
  } else if (Array.isArray(existing)) {
    existing.push(parsed);
  } else {
    target[field.jsonName] = [parsed];
  }
}

function descend(json: JsonObject, path: readonly DescField[]): JsonObject {
  let target = json;
  for (const field of path.slice(0, -1)) {
    const existing = target[field.jsonName] ?? target[field.name];
    const inner = isObject(existing) ? existing : {};
    delete target[field.name];
    target[field.jsonName] = inner;
    target = inner;
  }
  return target;
}

function resolveParameter(message: DescMessage, name: string): DescField[] | undefined {
  const path: DescField[] = [];
  let current: DescMessage | undefined = message;
  for (const part of name.split(".")) {
    const field: DescField | undefined = current?.fields.find((f) => f.name === part || f.jsonName === part);
    if (field === undefined || field.fieldKind === "map") return undefined;
    path.push(field);
    current = field.fieldKind === "message" ? field.message : undefined;
  }
  return path;
}

function parseValue(field: DescField, text: string): JsonValue {
  if (field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum")) {
    return parseEnum(field, field.enum!, text);
  }
  const scalar = field.fieldKind === "map" ? undefined : field.scalar;
  if (scalar === ScalarType.BOOL) return parseBool(field, text);
  if (scalar !== undefined) return text;
  const type = field.message?.typeName ?? "";
  if (type === "google.protobuf.BoolValue") return parseBool(field, text);
  if (textualTypes.has(type)) return text;
  throw unparsable(field, "cannot be a query parameter");
}

/** Messages whose JSON form is, or may be, a string. */
const textualTypes = new Set(
  [
    "Timestamp",
    "Duration",
    "FieldMask",
    "StringValue",
    "BytesValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "FloatValue",
    "DoubleValue",
  ].map((name) => `google.protobuf.${name}`),
);

function parseBool(field: DescField, text: string): boolean {
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw unparsable(field, "is not a boolean");
}

function parseEnum(field: DescField, type: DescEnum, text: string): JsonValue {
  const value = type.values.find((candidate) => candidate.name === text || String(candidate.number) === text);
  if (value === undefined) throw unparsable(field, `is not one of ${type.typeName}`);
  return value.number;
}

const unparsable = (field: DescField, why: string) =>
  new ConnectError(`parameter ${field.jsonName} ${why}`, Code.InvalidArgument);

const isPrefix = (prefix: readonly DescField[], path: readonly DescField[]): boolean =>
  prefix.every((field, index) => path[index] === field);

export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
