import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { Edition, FeatureSet_FieldPresence, isWrapperDesc, StructSchema } from "@bufbuild/protobuf/wkt";
import { leaveIt } from "./unusual.ts";

/** A message as protobuf-es keeps it: its fields and choices by name. */
export type AnyMessage = Record<string, unknown>;

/** A choice within a message (`oneof`). */
type Choice = { readonly case?: string; readonly value?: unknown };

const isObject = (value: unknown): value is AnyMessage => typeof value === "object" && value !== null;

/** The value as what it has to be; what is not is left to protobuf-es. */
export const as = {
  message: (value: unknown, { typeName }: DescMessage): AnyMessage =>
    isObject(value) && value.$typeName === typeName ? value : leaveIt(),
  choice: (value: unknown): Choice => (isObject(value) ? value : leaveIt()),
  list: (value: unknown): unknown[] => (Array.isArray(value) ? value : leaveIt()),
  map: (value: unknown): AnyMessage => (isObject(value) ? value : leaveIt()),
  text: (value: unknown): string => (typeof value === "string" ? value : leaveIt()),
  truth: (value: unknown): boolean => (typeof value === "boolean" ? value : leaveIt()),
  bytes: (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : leaveIt()),
  number: (value: unknown): number => (typeof value === "number" ? value : leaveIt()),
  integer: (value: unknown): bigint => (typeof value === "bigint" ? value : leaveIt()),
};

/** The same bytes. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const scalars = new Set([
  ScalarType.STRING,
  ScalarType.BOOL,
  ScalarType.INT32,
  ScalarType.UINT32,
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.BYTES,
]);

/** Whether all fields are of kinds these codecs know; what is within them is another question. */
export const isOrdinary = (schema: DescMessage): boolean =>
  schema.file.edition === Edition.EDITION_PROTO3 && schema.fields.every(isOrdinaryField);

function isOrdinaryField(field: DescField): boolean {
  if (field.fieldKind === "map" && field.mapKey !== ScalarType.STRING) return false;
  if (field.message !== undefined) return !isKeptAsJavaScript(field.message);
  if (field.enum !== undefined) return field.enum.typeName !== "google.protobuf.NullValue";
  return scalars.has(field.scalar!) && !("longAsString" in field && field.longAsString);
}

/** protobuf-es has values of JavaScript in the place of such messages. */
const isKeptAsJavaScript = (schema: DescMessage): boolean =>
  isWrapperDesc(schema) || schema.typeName === StructSchema.typeName;

export const inOrderOfNumbers = ({ fields }: DescMessage): DescField[] =>
  fields.toSorted((a, b) => a.number - b.number);

/** What a message has in a field that is neither list nor map; undefined if that is not to be written. */
export function writtenValue(field: DescField): (message: AnyMessage) => unknown {
  const name = field.localName;
  if (field.oneof !== undefined) {
    const choice = field.oneof.localName;
    return (message) => {
      const { case: chosen, value } = as.choice(message[choice]);
      return chosen === name ? (value ?? leaveIt()) : undefined;
    };
  }
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) return (message) => message[name];
  const isZero = isZeroOf(field.scalar ?? ScalarType.INT32);
  return (message) => {
    const value = message[name] ?? leaveIt();
    return isZero(value) ? undefined : value;
  };
}

/** Whether a value is its type's zero, which a field without presence does not write. */
export function isZeroOf(scalar: ScalarType): (value: unknown) => boolean {
  switch (scalar) {
    case ScalarType.STRING:
      return (value) => value === "";
    case ScalarType.BOOL:
      return (value) => value === false;
    case ScalarType.BYTES:
      return (value) => value instanceof Uint8Array && value.byteLength === 0;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (value) => value === 0n;
    default:
      return (value) => value === 0;
  }
}
