import {
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  hasOption,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
  type MapRules,
  oneof as oneofRules,
  type RepeatedRules,
} from "../../gen/buf/validate/validate_pb.js";
import { type AnyMessage, isZeroOf } from "../codec/schema.ts";

type Glance = (value: unknown) => boolean;

const glances = new WeakMap<DescMessage, Glance>();

/**
 * Whether it can be seen at a glance that a message keeps all rules of the contract (`buf.validate`): nearly all are
 * about sizes, and those of nearly all messages are nowhere near a limit. What cannot be seen, and what is wrong with a
 * message, the validator has to find out, which takes several times as long.
 */
export const isEvidentlyValid = (schema: DescMessage, message: Message): boolean => glanceOf(schema)(message);

const fine: Glance = () => true;
const unsure: Glance = () => false;

function glanceOf(schema: DescMessage): Glance {
  const known = glances.get(schema);
  if (known !== undefined) return known;
  const members: Glance[] = [];
  const glance: Glance = (message) => members.every((member) => member(message));
  // Before its fields: a message may hold others of its own kind.
  glances.set(schema, glance);
  // Types of protobuf's own have no rules.
  if (!schema.typeName.startsWith("google.protobuf.")) members.push(...schema.members.map(memberGlance));
  return glance;
}

function memberGlance(member: DescField | DescOneof): Glance {
  const name = member.localName;
  if (member.kind === "oneof") {
    const glance = choiceGlance(member);
    return (message) => glance((message as AnyMessage)[name]);
  }
  const rules = rulesOf(member);
  const glance = fieldGlance(member, rules);
  const isRequired = rules?.required === true;
  if (member.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    return (message) => {
      const value = (message as AnyMessage)[name];
      return value === undefined ? !isRequired : glance(value);
    };
  }
  // Rules hold for a zero as for any other value.
  if (!isRequired) return (message) => glance((message as AnyMessage)[name]);
  const isUnset = emptyTest(member);
  return (message) => {
    const value = (message as AnyMessage)[name];
    return !isUnset(value) && glance(value);
  };
}

const rulesOf = (field: DescField): FieldRules | undefined =>
  hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;

function choiceGlance(oneof: DescOneof): Glance {
  const mayBeUnset = !(hasOption(oneof, oneofRules) && getOption(oneof, oneofRules).required);
  const cases = new Map(oneof.fields.map((field) => [field.localName, fieldGlance(field, rulesOf(field))]));
  const isAnyRequired = oneof.fields.some((field) => rulesOf(field)?.required);
  if (isAnyRequired) return unsure;
  return (choice) => {
    const { case: chosen, value } = choice as { case?: string; value?: unknown };
    return chosen === undefined ? mayBeUnset : (cases.get(chosen) ?? unsure)(value);
  };
}

function emptyTest(field: DescField): Glance {
  if (field.fieldKind === "list") return (value) => (value as unknown[]).length === 0;
  if (field.fieldKind === "map") return (value) => Object.keys(value as object).length === 0;
  return isZeroOf(field.scalar ?? ScalarType.INT32);
}

/** A field that is there. */
function fieldGlance(field: DescField, rules: FieldRules | undefined): Glance {
  const type = rules?.type;
  switch (field.fieldKind) {
    case "list":
      if (type?.case === undefined) return listGlance(field, undefined);
      return type.case === "repeated" ? listGlance(field, type.value) : unsure;
    case "map":
      if (type?.case === undefined) return mapGlance(field, undefined);
      return type.case === "map" ? mapGlance(field, type.value) : unsure;
    default:
      return valueGlance(field, rules);
  }
}

function listGlance(field: DescField, rules: RepeatedRules | undefined): Glance {
  if (rules?.unique) return unsure;
  const item = valueGlance(field, rules?.items);
  const isWithin = sizeTest(rules?.minItems, rules?.maxItems);
  return (value) => {
    const items = value as unknown[];
    return isWithin(items.length) && items.every(item);
  };
}

function mapGlance(field: DescField, rules: MapRules | undefined): Glance {
  const key = rules?.keys === undefined ? fine : textGlance(rules.keys);
  const entry = valueGlance(field, rules?.values);
  const isWithin = sizeTest(rules?.minPairs, rules?.maxPairs);
  return (value) => {
    const entries = value as AnyMessage;
    const keys = Object.keys(entries);
    return isWithin(keys.length) && keys.every((name) => key(name) && entry(entries[name]));
  };
}

/** A value of the field, or of its list or map. */
function valueGlance(field: DescField, rules: FieldRules | undefined): Glance {
  const type = rules?.type;
  if (type?.case === undefined) return field.message === undefined ? fine : glanceOf(field.message);
  switch (type.case) {
    case "string":
      return textGlance(rules!);
    case "bytes": {
      const isWithin = sizeTest(type.value.minLen, type.value.maxLen);
      return (value) => isWithin((value as Uint8Array).byteLength);
    }
    case "enum": {
      const { definedOnly, notIn } = type.value;
      const numbers = new Set(field.enum?.values.map(({ number }) => number));
      return (value) => (!definedOnly || numbers.has(value as number)) && !notIn.includes(value as number);
    }
    default:
      return unsure;
  }
}

/** Rules count code points, of which a text has at most as many as JavaScript counts, and at least half. */
function textGlance({ type }: FieldRules): Glance {
  if (type.case !== "string" || type.value.len > 0n || type.value.wellKnown.case !== undefined) return unsure;
  const [isLongEnough, isShortEnough] = [sizeTest(type.value.minLen, 0n), sizeTest(0n, type.value.maxLen)];
  return (value) => {
    const { length } = value as string;
    return isLongEnough(Math.ceil(length / 2)) && isShortEnough(length);
  };
}

/** @param most 0 for no limit, as the contract has it */
function sizeTest(least = 0n, most = 0n): (size: number) => boolean {
  const [from, to] = [Number(least), most === 0n ? Number.POSITIVE_INFINITY : Number(most)];
  return (size) => size >= from && size <= to;
}
