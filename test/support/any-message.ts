import {
  create,
  type DescField,
  type DescMessage,
  type DescService,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { SessionControlService } from "../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { SessionSettingsService } from "../../src/gen/gatehouse/session/v1/session_settings_service_pb.js";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import { AdminService } from "../../src/gen/zitadel/admin/v1/admin_service_pb.js";
import { IdentityProviderService } from "../../src/gen/zitadel/idp/v2/idp_service_pb.js";
import { InternalPermissionService } from "../../src/gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import { ManagementService } from "../../src/gen/zitadel/management/v1/management_service_pb.js";
import { OrganizationService } from "../../src/gen/zitadel/org/v2/org_service_pb.js";
import { SessionService } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { SessionService as SessionServiceV2Beta } from "../../src/gen/zitadel/session/v2beta/session_service_pb.js";
import { SettingsService } from "../../src/gen/zitadel/settings/v2/settings_service_pb.js";
import { UserService } from "../../src/gen/zitadel/user/v2/user_service_pb.js";

const services: DescService[] = [
  SessionService,
  SessionServiceV2Beta,
  SessionControlService,
  SessionSettingsService,
  UserService,
  OrganizationService,
  InternalPermissionService,
  IdentityProviderService,
  SettingsService,
  AdminService,
  ManagementService,
  Health,
];
const schemas = [
  ...new Set(services.flatMap(({ methods }) => methods.flatMap(({ input, output }) => [input, output]))),
];

const text = fc.oneof(
  fc.constantFrom(
    "",
    "plain",
    'quo"ted',
    "back\\slash",
    "new\nline",
    "\0",
    "é",
    "☃",
    "😀",
    "\ud800 half",
    "__proto__",
  ),
  fc.constantFrom(
    "x".repeat(48),
    "x".repeat(49),
    "x".repeat(127),
    "x".repeat(128),
    "é".repeat(64),
    "x".repeat(20_000),
  ),
  // The contract's limits are so many code points.
  fc.constantFrom(
    ...[100, 200, 201, 500, 501].flatMap((length) => ["x".repeat(length), "😀".repeat(length)]),
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: fc.oneof(fc.nat(300), fc.integer()),
  [ScalarType.UINT32]: fc.oneof(fc.nat(300), fc.nat(0xffffffff)),
  [ScalarType.INT64]: fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  [ScalarType.UINT64]: fc.oneof(
    fc.bigInt(0n, 300n),
    fc.bigInt(2n ** 31n, 2n ** 53n),
    fc.bigInt(0n, 2n ** 64n - 1n),
  ),
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.FLOAT]: fc.float(),
  [ScalarType.BYTES]: fc.uint8Array({ maxLength: 200 }),
};
/** Of a type no field has. */
const wrong = fc.constantFrom(1.5, -0, Number.NaN, "7", 2 ** 40, null, {}, Symbol.iterator.toString());

function elementOf(field: DescField, wrongs: number, depth: number): fc.Arbitrary<unknown> {
  if (field.message?.typeName === "google.protobuf.Struct")
    return fc.dictionary(fc.string(), fc.jsonValue() as never);
  if (field.message !== undefined) return messageOf(field.message, wrongs, depth + 1);
  const enumeration = field.enum;
  if (enumeration !== undefined)
    return fc.constantFrom(
      ...enumeration.values.map(({ number }) => number),
      ...enumeration.values.map(({ number }) => number),
      99,
    );
  return scalars[field.scalar!]!;
}

function messageOf(schema: DescMessage, wrongs: number, depth = 0): fc.Arbitrary<Message> {
  const fields = depth > 3 ? [] : schema.fields;
  const members = fields.map((field) => {
    const value = fc.oneof(
      { weight: 200, arbitrary: elementOf(field, wrongs, depth) },
      { weight: wrongs, arbitrary: wrong },
    );
    const whole =
      field.fieldKind === "list"
        ? fc.array(value, { maxLength: 3 })
        : field.fieldKind === "map"
          ? fc.dictionary(text, value, { maxKeys: 3 })
          : value;
    return fc.option(whole, { nil: undefined, freq: 2 }).map((chosen) => [field, chosen] as const);
  });
  return fc.tuple(...members).map((chosen) => {
    const message = create(schema) as Message & Record<string, unknown>;
    for (const [field, value] of chosen) {
      if (value === undefined) continue;
      if (field.oneof) message[field.oneof.localName] = { case: field.localName, value };
      else message[field.localName] = value;
    }
    return message;
  });
}

/**
 * Any message of any method.
 * @param wrongs so many of two hundred values are of a type their field does not have
 */
export const anyMessage = ({ wrongs }: { wrongs: number }) =>
  fc
    .constantFrom(...schemas)
    .chain((schema) => messageOf(schema, wrongs).map((message) => ({ schema, message })));
