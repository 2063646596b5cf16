import {
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  type Message,
} from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { createValidator, Violation } from "@bufbuild/protovalidate";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { isEvidentlyValid } from "./evidently-valid.ts";
import { unstorable } from "./unstorable.ts";

/**
 * Holds every request message against the constraints of the contract (`buf.validate`), after authentication and before
 * the implementation. The first broken rule becomes INVALID_ARGUMENT without details; the text has
 * the shape existing clients know from protoc-gen-validate:
 * `invalid GetSessionRequest.SessionId: value length must be between 1 and 200 runes, inclusive`.
 */
export function validate(): Interceptor {
  // Compiles the rules of a message when it first sees one, and keeps them. Looks at the fields in declaration order,
  // then at required choices.
  const validator = createValidator({ failFast: true });
  const check = <M extends Message>(schema: DescMessage, message: M): M => {
    const path = unstorable(schema, message);
    if (path !== undefined)
      throw new ConnectError(violationText(schema, notStorable(path)), Code.InvalidArgument);
    if (isEvidentlyValid(schema, message)) return message;
    const result = validator.validate(schema, message);
    if (result.kind === "invalid") {
      throw new ConnectError(violationText(schema, result.violations[0]!), Code.InvalidArgument);
    }
    if (result.kind === "error")
      throw new Error(`cannot validate ${schema.typeName}`, { cause: result.error });
    return message;
  };

  return (next) => (request) => {
    const schema = request.method.input;
    if (!request.stream) {
      check(schema, request.message);
      return next(request);
    }
    return next({ ...request, message: checked(request.message, (message) => check(schema, message)) });
  };
}

function notStorable(path: Path): Violation {
  const field = path.at(-1);
  const isDate = field?.kind === "field" && field.message !== undefined && field.fieldKind === "message";
  const reason = isDate
    ? "value must be a timestamp of the years 0001 to 9999"
    : "value must be Unicode text without NUL";
  return new Violation(reason, "gatehouse.storable", path, [], false);
}

async function* checked<T>(messages: AsyncIterable<T>, check: (message: T) => T): AsyncGenerator<T> {
  for await (const message of messages) yield check(message);
}

/** One `invalid Message.Field: …` for every message on the way to the field, the outermost first. */
function violationText(root: DescMessage, violation: Violation): string {
  const links: { member: DescField | DescOneof; subscript: string }[] = [];
  for (const step of violation.field) {
    if (step.kind === "field" || step.kind === "oneof") links.push({ member: step, subscript: "" });
    else if (links.length > 0) links[links.length - 1]!.subscript = subscript(step);
  }
  const last = links.length - 1;
  return links
    .map(({ member, subscript }, index) => {
      const owner = index === 0 ? root : member.parent;
      const reason = index === last ? reasonText(violation, member) : "embedded message failed validation";
      return `invalid ${goTypeName(owner)}.${goName(member.name)}${subscript}: ${reason}`;
    })
    .join(" | caused by: ");
}

const subscript = (step: Path[number]): string => {
  if (step.kind === "list_sub") return `[${step.index}]`;
  return step.kind === "map_sub" ? `[${String(step.key)}]` : "";
};

function reasonText(violation: Violation, member: DescField | DescOneof): string {
  switch (violation.ruleId) {
    case "required":
      return "value is required";
    case "enum.defined_only":
      return "value must be one of the defined enum values";
    case "string.len":
    case "string.min_len":
    case "string.max_len":
      return lengthText(violation, member);
    default:
      return /^(?:must|does|contains|is)\b/.test(violation.message)
        ? `value ${violation.message}`
        : violation.message;
  }
}

function lengthText(violation: Violation, member: DescField | DescOneof): string {
  const rules = member.kind === "field" ? stringRules(member, violation.forKey) : undefined;
  if (rules === undefined) return `value ${violation.message}`;
  const { len, minLen, maxLen } = rules;
  if (len > 0n) return `value length must be ${len} runes`;
  if (minLen > 0n && minLen === maxLen) return `value length must be ${minLen} runes`;
  if (minLen > 0n && maxLen > 0n)
    return `value length must be between ${minLen} and ${maxLen} runes, inclusive`;
  return minLen > 0n
    ? `value length must be at least ${minLen} runes`
    : `value length must be at most ${maxLen} runes`;
}

/** The string rules of the field itself, or of what it holds. */
function stringRules(field: DescField, forKey: boolean) {
  const { type } = getOption(field, fieldRules);
  switch (type.case) {
    case "string":
      return type.value;
    case "repeated":
      return type.value.items?.type.case === "string" ? type.value.items.type.value : undefined;
    case "map": {
      const inner = forKey ? type.value.keys?.type : type.value.values?.type;
      return inner?.case === "string" ? inner.value : undefined;
    }
    default:
      return undefined;
  }
}

/** The type's name in Go: nested types joined by underscores. */
const goTypeName = (message: DescMessage): string => {
  const prefix = message.file.proto.package;
  return goName(prefix === "" ? message.typeName : message.typeName.slice(prefix.length + 1));
};

/** Camel case as protoc-gen-go has it: `session_id` is SessionId, `a_1b` is A_1B, `Outer.Inner` is Outer_Inner. */
const goName = (name: string): string =>
  name
    .replace(/(^|\.)_/g, "$1X_")
    .replace(/\.(?![a-z])/g, "_.")
    .replace(/(?:^|\.|_)[a-z]|(?<=[0-9])[a-z]/g, (match) => match.at(-1)!.toUpperCase())
    .replaceAll(".", "");
