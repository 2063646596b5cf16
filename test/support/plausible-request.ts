import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  type Message,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import {
  type FieldRules,
  field as fieldRules,
  oneof as oneofRules,
} from "../../src/gen/buf/validate/validate_pb.js";

const validator = createValidator();

/**
 * A message with just enough in it to pass the rules of the contract, and not a field more: of texts as many letters as
 * they need, of choices the first.
 * @throws Error for a rule that is not known here yet
 */
export function plausibleRequest(schema: DescMessage): Message {
  const message = filled(schema);
  const { kind, error } = validator.validate(schema, message);
  if (kind !== "valid") throw new Error(`no plausible ${schema.typeName}: ${error?.message}`);
  return message;
}

function filled(schema: DescMessage): Message {
  const message = create(schema);
  const fields = reflect(schema, message);
  for (const member of schema.members) {
    const field = member.kind === "oneof" ? chosen(member) : member;
    if (field === undefined) continue;
    const value = neededFor(field, member.kind === "oneof");
    if (value === undefined) continue;
    if (field.fieldKind === "list") fields.get(field).add(value);
    else if (field.fieldKind === "message") fields.set(field, reflect(field.message, value as Message));
    else fields.set(field, value);
  }
  return message;
}

/** The member of a choice that must be made. */
const chosen = (oneof: DescOneof): DescField | undefined =>
  getOption(oneof, oneofRules).required ? oneof.fields[0] : undefined;

/** @param wanted whether the field has to be set, whatever its own rules say */
function neededFor(field: DescField, wanted: boolean): unknown {
  const { required, type } = getOption(field, fieldRules);
  if (field.fieldKind === "message") return required || wanted ? filled(field.message) : undefined;
  if (field.fieldKind === "map") return undefined;
  if (field.fieldKind === "list") {
    if (type.case !== "repeated" || type.value.minItems === 0n) return undefined;
    if (field.listKind === "message") return reflect(field.message, filled(field.message));
    return field.listKind === "enum" ? field.enum.values[1]!.number : leastOf(type.value.items?.type);
  }
  if (field.fieldKind === "enum") {
    const { notIn = [] } = type.case === "enum" ? type.value : {};
    return field.enum.values.find(({ number }) => !notIn.includes(number))!.number;
  }
  return leastOf(type);
}

/** The least a rule about a scalar allows; undefined: nothing is needed. */
function leastOf(rule: FieldRules["type"] | undefined): unknown {
  switch (rule?.case) {
    case "string":
      return "x".repeat(Number(rule.value.len || rule.value.minLen)) || undefined;
    case "bytes":
      return new Uint8Array(Number(rule.value.minLen));
    case "int32":
      return rule.value.greaterThan.value;
    case "bool":
      return rule.value.const;
    default:
      return undefined;
  }
}
