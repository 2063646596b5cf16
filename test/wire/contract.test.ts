import { readdirSync } from "node:fs";
import {
  create,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { options as witnessOptions } from "@zitadel/proto/zitadel/protoc_gen_zitadel/v2/options_pb.js";
import {
  FieldRulesSchema as WitnessFieldRulesSchema,
  required as witnessOneofRequired,
  rules as witnessRules,
} from "@zitadel/proto/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import { FieldRulesSchema, field as fieldRules, oneof as oneofRules } from "../../src/gen/buf/validate/validate_pb.js";
import { permission, success_code } from "../../src/gen/gatehouse/options_pb.js";
import { http } from "../../src/gen/google/api/annotations_pb.js";
import { HttpRuleSchema } from "../../src/gen/google/api/http_pb.js";
import { TimestampQueryMethod } from "../../src/gen/zitadel/object_pb.js";
import {
  RequestChallengesSchema,
  UserVerificationRequirement,
} from "../../src/gen/zitadel/session/v2/challenge_pb.js";
import { SearchQuerySchema } from "../../src/gen/zitadel/session/v2/session_pb.js";
import {
  ChecksSchema,
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  GetSessionRequestSchema,
  ListSessionsRequestSchema,
  SetSessionRequestSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";

const differences: { reason: string; facts: Record<string, string | null> }[] = [];

/** A package we serve in a version the witness knows only as an older one. */
const olderPackages: [ours: string, witness: string][] = [
  ["zitadel/internal_permission/v2/", "zitadel/internal_permission/v2beta/"],
];

type Facts = Map<string, string>;

const generatedRoot = new URL("../../src/gen/", import.meta.url);

const ourPaths = readdirSync(new URL("zitadel/", generatedRoot), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith("_pb.js"))
  .map((path) => `zitadel/${path}`)
  .sort();

const witnessPath = (path: string): string =>
  olderPackages.reduce((name, [ours, witness]) => name.replace(ours, witness), path);

/** The witness's older package under the name of ours, so that facts can be compared as text. */
const underOurNames = (text: string): string =>
  text
    .replaceAll("zitadel.internal_permission.v2beta.", "zitadel.internal_permission.v2.")
    .replaceAll("zitadel.filter.v2beta.", "zitadel.filter.v2.");

const fileIn = (module: Record<string, unknown>): DescFile => {
  for (const value of Object.values(module)) {
    if (typeof value === "object" && value !== null && "kind" in value && value.kind === "file") {
      return value as DescFile;
    }
  }
  throw new Error("not a generated module");
};

const fieldType = (field: DescField): string => {
  const element = field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar ?? 0];
  if (field.fieldKind === "map") return `map<${ScalarType[field.mapKey]}, ${element}>`;
  return field.fieldKind === "list" ? `repeated ${element}` : `${element}`;
};

const fieldShape = (field: DescField): string =>
  [
    field.number,
    field.jsonName,
    fieldType(field),
    FeatureSet_FieldPresence[field.presence],
    field.oneof ? `oneof ${field.oneof.name}` : "",
  ].join(" ");

/** Both rule languages as one: `len` for equal bounds, one `required`, no rule that holds for every value. */
const canonicalRules = (rules: JsonValue): JsonObject => {
  const canonical: JsonObject = {};
  for (const [name, value] of Object.entries(rules as JsonObject)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (value === true && name === "required") canonical.required = true;
      continue;
    }
    const rule: JsonObject = { ...value };
    if (rule.required === true) canonical.required = true;
    delete rule.required;
    // The domain checks the syntax of e-mail addresses.
    delete rule.email;
    if (rule.minLen === "0") delete rule.minLen;
    if (rule.minLen !== undefined && rule.minLen === rule.maxLen) {
      rule.len = rule.minLen;
      delete rule.minLen;
      delete rule.maxLen;
    }
    for (const nested of ["items", "keys", "values"]) {
      if (rule[nested] !== undefined) rule[nested] = canonicalRules(rule[nested]);
    }
    if (Object.keys(rule).length > 0) canonical[name] = rule;
  }
  return canonical;
};

const ourRules = (field: DescField): JsonObject =>
  canonicalRules(toJson(FieldRulesSchema, getOption(field, fieldRules)));

const rulesOfWitness = (field: DescField): JsonObject =>
  canonicalRules(toJson(WitnessFieldRulesSchema, getOption(field, witnessRules)));

const messageFacts = (message: DescMessage, isOurs: boolean): [string, string][] => [
  [message.typeName, "message"],
  ...message.fields.flatMap((field): [string, string][] => {
    const name = `${message.typeName}.${field.name}`;
    const rules = isOurs ? ourRules(field) : rulesOfWitness(field);
    return [
      [name, fieldShape(field)],
      [`${name} rules`, JSON.stringify(rules)],
    ];
  }),
  ...message.oneofs.map((oneof): [string, string] => [
    `${message.typeName}.${oneof.name} required`,
    `${isOurs ? getOption(oneof, oneofRules).required : getOption(oneof, witnessOneofRequired)}`,
  ]),
];

const enumFacts = (enumeration: DescEnum): [string, string][] =>
  enumeration.values.map((value) => [`${enumeration.typeName}.${value.name}`, `${value.number}`]);

const methodFacts = (method: DescMethod, isOurs: boolean): [string, string][] => {
  const name = `${method.parent.typeName}/${method.name}`;
  const route = JSON.stringify(toJson(HttpRuleSchema, getOption(method, http)));
  const witness = getOption(method, witnessOptions);
  return [
    [name, `${method.methodKind} ${method.input.typeName} ${method.output.typeName} ${method.idempotency}`],
    [`${name} route`, route],
    [`${name} permission`, isOurs ? getOption(method, permission) : `${witness.authOption?.permission}`],
    [
      `${name} success code`,
      `${(isOurs ? getOption(method, success_code) : witness.httpResponse?.successCode) || 200}`,
    ],
  ];
};

/** Every fact of a file that a client could notice, under a name. */
const factsOf = (file: DescFile, isOurs: boolean): [string, string][] =>
  [...nestedTypes(file)].flatMap((type): [string, string][] => {
    if (type.kind === "message") return messageFacts(type, isOurs);
    if (type.kind === "enum") return enumFacts(type);
    if (type.kind === "service") return type.methods.flatMap((method) => methodFacts(method, isOurs));
    return [];
  });

const witnessFile = async (path: string): Promise<DescFile> =>
  fileIn(await import(import.meta.resolve(`@zitadel/proto/${path}`)));

const ourFiles: DescFile[] = [];
const ours: Facts = new Map();
const witness: Facts = new Map();

for (const path of ourPaths) {
  const file = fileIn(await import(new URL(path, generatedRoot).href));
  ourFiles.push(file);
  for (const [name, fact] of factsOf(file, true)) ours.set(name, fact);
}

/** Newer than the witness's package of the same version, but known to it from an older version. */
const onlyInOlder = ["zitadel.filter.v2.InIDsFilter"];

for (const path of new Set(ourPaths.map(witnessPath))) {
  for (const [name, fact] of factsOf(await witnessFile(path), false)) witness.set(underOurNames(name), underOurNames(fact));
}
for (const [name, fact] of factsOf(await witnessFile("zitadel/filter/v2beta/filter_pb.js"), false)) {
  const ourName = underOurNames(name);
  if (onlyInOlder.some((type) => ourName.startsWith(type))) witness.set(ourName, underOurNames(fact));
}

/** The message or enum a fact belongs to, or undefined for facts of a service. */
const ownerOf = (name: string): string | undefined =>
  name.includes("/") ? undefined : name.split(" ")[0]?.replace(/\.[^.]+$/, "");

describe("the contract and a witness we did not write", () => {
  const ourTypes = new Set(ourFiles.flatMap((file) => [...nestedTypes(file)]).map((type) => type.typeName));

  test("agree on every message, enum, method, route and limit, except where we say why", async () => {
    const found: Record<string, string | null> = {};
    for (const [name, fact] of ours) if (witness.get(name) !== fact) found[name] = fact;
    for (const name of witness.keys()) {
      if (!ours.has(name) && ourTypes.has(ownerOf(name) ?? "")) found[name] = null;
    }
    (await import("node:fs")).writeFileSync("/tmp/found.json", JSON.stringify(found,null,1));
    expect(found).toEqual(Object.assign({}, ...differences.map(({ facts }) => facts)));
  });

  test("meet over the whole contract", () => {
    const agreed = [...ours].filter(([name, fact]) => witness.get(name) === fact).length;
    expect(agreed).toBeGreaterThan(1000);
  });
});
