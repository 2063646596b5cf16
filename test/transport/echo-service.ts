import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  type MethodOptions,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../src/gen/google/api/annotations_pb.js";
import type { HttpRuleSchema } from "../../src/gen/google/api/http_pb.js";

type Field = Omit<MessageInitShape<typeof FieldDescriptorProtoSchema>, "$typeName" | "$unknown">;
type Rule = MessageInitShape<typeof HttpRuleSchema>;

const field = (name: string, number: number, type: Type, more: Partial<Field> = {}): Field => ({
  name,
  number,
  type,
  label: Label.OPTIONAL,
  jsonName: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  ...more,
});
const message = (name: string, number: number, typeName: string, more: Partial<Field> = {}): Field =>
  field(name, number, Type.MESSAGE, { typeName, ...more });

const rules: Record<string, Rule> = {
  Read: {
    pattern: { case: "get", value: "/v1/things/{thing_id}" },
    additionalBindings: [
      { pattern: { case: "get", value: "/v1/{inner.name=shelves/*/books/*}" } },
      { pattern: { case: "get", value: "/v1/files/{thing_id=**}" } },
      { pattern: { case: "get", value: "/v1/big/{big_number}/{is_set}" } },
    ],
  },
  Lock: { pattern: { case: "post", value: "/v1/things/{thing_id}:lock" }, body: "*" },
  Replace: { pattern: { case: "put", value: "/v1/things/{thing_id}" }, body: "inner" },
};

const withRule = (rule: Rule): MethodOptions => {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, rule as never);
  return options;
};

const file = create(FileDescriptorProtoSchema, {
  name: "echo/v1/echo.proto",
  package: "echo.v1",
  syntax: "proto3",
  dependency: [
    "google/protobuf/timestamp.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/wrappers.proto",
  ],
  enumType: [
    {
      name: "Kind",
      value: [
        { name: "KIND_UNSPECIFIED", number: 0 },
        { name: "KIND_ROUND", number: 1 },
      ],
    },
  ],
  messageType: [
    {
      name: "Thing",
      field: [
        field("thing_id", 1, Type.STRING),
        field("big_number", 2, Type.INT64),
        field("is_set", 3, Type.BOOL),
        field("tags", 4, Type.STRING, { label: Label.REPEATED }),
        field("kind", 5, Type.ENUM, { typeName: ".echo.v1.Kind" }),
        message("inner", 6, ".echo.v1.Inner"),
        field("numbers", 7, Type.INT32, { label: Label.REPEATED }),
        field("raw", 8, Type.BYTES),
        message("made_at", 9, ".google.protobuf.Timestamp"),
        message("lasts", 10, ".google.protobuf.Duration"),
        message("agreed", 11, ".google.protobuf.BoolValue"),
        field("left", 12, Type.STRING, { oneofIndex: 0 }),
        field("right", 13, Type.STRING, { oneofIndex: 0 }),
        field("ratio", 14, Type.DOUBLE),
        message("others", 15, ".echo.v1.Inner", { label: Label.REPEATED }),
      ],
      oneofDecl: [{ name: "side" }],
    },
    { name: "Inner", field: [field("name", 1, Type.STRING), field("count", 2, Type.UINT32)] },
  ],
  service: [
    {
      name: "Echo",
      method: Object.entries(rules).map(([name, rule]) => ({
        name,
        inputType: ".echo.v1.Thing",
        outputType: ".echo.v1.Thing",
        options: withRule(rule),
      })),
    },
  ],
});

/**
 * A service that exists only here: each method answers with its request, under routes of every shape that
 * `google.api.http` knows and our own contract does not use.
 */
export const EchoService: DescService = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      file_google_protobuf_timestamp.proto,
      file_google_protobuf_duration.proto,
      file_google_protobuf_wrappers.proto,
      file,
    ],
  }),
).getService("echo.v1.Echo")!;

const same = (request: unknown) => request;

/** Its implementation; a service without generated code has no type for one. */
export const echo = { read: same, lock: same, replace: same } as never;
