import { isDeepStrictEqual } from "node:util";
import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonValue,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  DeleteSessionResponseSchema,
  ListSessionsResponseSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { binaryDecoder } from "../../src/transport/codec/binary-decoder.ts";
import { binaryEncoder } from "../../src/transport/codec/binary-encoder.ts";
import { jsonDecoder } from "../../src/transport/codec/json-decoder.ts";
import { jsonEncoder } from "../../src/transport/codec/json-encoder.ts";
import { anyMessage } from "../support/any-message.ts";

const outcome = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

describe("an encoder", () => {
  it("writes the bytes protobuf-es writes, or leaves the message to it", () => {
    let written = 0;
    fc.assert(
      fc.property(anyMessage({ wrongs: 1 }), ({ schema, message }) => {
        const ours = binaryEncoder(schema)(message);
        if (ours === undefined) return;
        written += 1;
        expect(Buffer.from(ours).equals(toBinary(schema, message))).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(written).toBeGreaterThan(5_000);
  });

  it("writes the JSON protobuf-es writes, or leaves the message to it", () => {
    let written = 0;
    fc.assert(
      fc.property(anyMessage({ wrongs: 1 }), ({ schema, message }) => {
        const ours = jsonEncoder(schema)(message);
        if (ours === undefined) return;
        written += 1;
        expect(ours).toBe(toJsonString(schema, message));
      }),
      { numRuns: 10_000 },
    );
    expect(written).toBeGreaterThan(5_000);
  });

  const answer = {
    details: { sequence: 2n ** 40n, changeDate: timestampFromMs(1_780_000_000_123), resourceOwner: "é" },
  };
  const session = { id: "a", metadata: { k: Buffer.from("v") }, factors: { user: { id: "u" } } };
  it.each<[string, DescMessage, Record<string, unknown>]>([
    ["an answer", DeleteSessionResponseSchema, answer],
    ["a list", ListSessionsResponseSchema, { details: { totalResult: 1n }, sessions: [session] }],
  ])("writes %s itself", (_, schema, init) => {
    const message = create(schema, init);
    expect(jsonEncoder(schema)(message)).toBe(toJsonString(schema, message));
    expect(Buffer.from(binaryEncoder(schema)(message)!).equals(toBinary(schema, message))).toBe(true);
  });

  it.each([
    [0n, 0, "1970-01-01T00:00:00Z"],
    [-5n, 120, "1969-12-31T23:59:55.000000120Z"],
    [1_780_000_000n, 1_000, "2026-05-28T20:26:40.000001Z"],
    [1_780_000_000n, 120_000_000, "2026-05-28T20:26:40.120Z"],
    [-62_135_596_800n, 0, "0001-01-01T00:00:00Z"],
    [253_402_300_799n, 999_999_999, "9999-12-31T23:59:59.999999999Z"],
  ])("writes %s s and %s ns after 1970 as JSON's %s", (seconds, nanos, text) => {
    const message = create(DeleteSessionResponseSchema, { details: { changeDate: { seconds, nanos } } });
    const json = jsonEncoder(DeleteSessionResponseSchema)(message);
    expect(json).toBe(`{"details":{"changeDate":"${text}"}}`);
    expect(json).toBe(toJsonString(DeleteSessionResponseSchema, message));
  });

  it("leaves a message to protobuf-es that came with unknown fields, is of another type, or is very long", () => {
    const unknown = Object.assign(create(DeleteSessionRequestSchema), {
      $unknown: [{ no: 9, wireType: 0, data: new Uint8Array([1]) }],
    });
    const encode = binaryEncoder(DeleteSessionRequestSchema);
    expect(encode(unknown)).toBeUndefined();
    expect(encode(create(CreateSessionRequestSchema))).toBeUndefined();
    expect(jsonEncoder(DeleteSessionRequestSchema)(create(CreateSessionRequestSchema))).toBeUndefined();
    expect(encode(create(DeleteSessionRequestSchema, { sessionId: "x".repeat(70_000) }))).toBeUndefined();
    expect(encode(create(DeleteSessionRequestSchema, { sessionId: "x" }))).toEqual(Buffer.from([10, 1, 120]));
  });
});

describe("a decoder of JSON", () => {
  const options = { ignoreUnknownFields: true };
  const stock = (schema: DescMessage, bytes: Uint8Array) =>
    outcome(() => fromJsonString(schema, new TextDecoder().decode(bytes), options));

  /** Ways to write the same message, and ways to break it. */
  const twists: ((json: JsonValue, schema: DescMessage) => string)[] = [
    (json) => JSON.stringify(json),
    (json) => JSON.stringify(json, null, 2).replaceAll('":', '" :'),
    (json, schema) => {
      let written = JSON.stringify(json);
      for (const { jsonName, name } of schema.fields)
        written = written.replace(`"${jsonName}":`, `"${name}":`);
      return written;
    },
    (json, schema) => {
      const field = schema.fields[0];
      return JSON.stringify({ ...(json as object), ...(field && { [field.name]: "twice" }) });
    },
    (json) => JSON.stringify(json).replace(/("[^"]+":)/, '$1"first",$1'),
    (json) => JSON.stringify({ ...(json as object), unknown: 1 }),
    (json) => JSON.stringify(json).replace("{", '{"__proto__":{},'),
    (json) => `\ufeff${JSON.stringify(json)}`,
    (json) =>
      JSON.stringify(json).replace(
        /"([^"])/,
        (_, letter: string) => `"\\u00${letter.charCodeAt(0).toString(16).padStart(2, "0")}`,
      ),
    (json) => JSON.stringify(json).replace(/:(?:"[^"]*"|true|\d+)/, ":null"),
    (json) => JSON.stringify(json).replace(/:"(\d+)"/, ":$1"),
    (json) => JSON.stringify(json).replace(/:"/, ':":'),
    (json) => JSON.stringify(json).replaceAll("=", ""),
    (json) => JSON.stringify([json]),
    (json) => JSON.stringify(json).slice(0, -1),
  ];

  it("reads what protobuf-es reads, or leaves the text to it; always what it refuses", () => {
    let read = 0;
    fc.assert(
      fc.property(
        anyMessage({ wrongs: 1 }),
        fc.constantFrom(...twists),
        fc.option(fc.nat(500)),
        ({ schema, message }, twist, broken) => {
          const json = outcome(() => toJson(schema, message));
          if (json === undefined) return;
          const bytes = Buffer.from(twist(json, schema));
          // Most often behind the end: then nothing is broken.
          if (broken !== null && broken < bytes.length) bytes[broken] = 0xff;
          const ours = jsonDecoder(schema)(bytes);
          if (ours === undefined) return;
          read += 1;
          expect(isDeepStrictEqual(ours, stock(schema, bytes))).toBe(true);
        },
      ),
      { numRuns: 15_000 },
    );
    expect(read).toBeGreaterThan(3_000);
  });

  it.each([
    ['{"sessionId":"a","sessionToken":"b"}', DeleteSessionRequestSchema],
    ['{ "session_id" : "é" }', DeleteSessionRequestSchema],
    ["{}", DeleteSessionRequestSchema],
    [
      '{"checks":{"user":{"loginName":"a@b"},"password":{"password":"p"}},"lifetime":"3600.5s","metadata":{"a":"aGk="}}',
      CreateSessionRequestSchema,
    ],
  ] as const)("reads %s itself", (json, schema) => {
    const ours = jsonDecoder(schema)(Buffer.from(json));
    expect(ours).toBeDefined();
    expect(isDeepStrictEqual(ours, stock(schema, Buffer.from(json)))).toBe(true);
  });

  it.each([
    '{"sessionId":"a","sessionId":"b"}',
    '{"sessionId":"a","session_id":"b"}',
    '{"sessionId":"a","session\\u0049d":"b"}',
    '{"sessionId":"a","sessionId" :"b"}',
    '{"sessionId":null}',
    '{"sessionId":1}',
    '{"sessionId":"\\ud800"}',
    '{"another":"a"}',
    '{"sessionId":"a"',
    "[]",
    "null",
    '"a"',
    "",
  ])("leaves %s to protobuf-es", (json) => {
    expect(jsonDecoder(DeleteSessionRequestSchema)(Buffer.from(json))).toBeUndefined();
  });
});

describe("a decoder of the binary format", () => {
  const stock = (schema: DescMessage, bytes: Uint8Array) => outcome(() => fromBinary(schema, bytes));

  it("reads what protobuf-es reads, or leaves the bytes to it; always what it refuses", () => {
    let read = 0;
    const flips = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 255 })), { maxLength: 2 });
    fc.assert(
      fc.property(anyMessage({ wrongs: 0 }), flips, fc.nat(9), ({ schema, message }, flipped, twist) => {
        const written = outcome(() => toBinary(schema, message));
        if (written === undefined) return;
        let bytes: Buffer = Buffer.from(written);
        if (twist === 0) bytes = Buffer.concat([bytes, bytes]);
        if (twist === 1) bytes = bytes.subarray(0, -1);
        // Most often behind the end: then nothing is broken.
        for (const [at, bits] of flipped) if (at < bytes.length) bytes[at] = bytes[at]! ^ bits;
        const ours = binaryDecoder(schema)(bytes);
        if (ours === undefined) return;
        read += 1;
        expect(isDeepStrictEqual(ours, stock(schema, bytes))).toBe(true);
      }),
      { numRuns: 15_000 },
    );
    expect(read).toBeGreaterThan(5_000);
  });

  it.each<[string, DescMessage, Record<string, unknown>]>([
    [
      "a small request",
      DeleteSessionRequestSchema,
      { sessionId: "x".repeat(40), sessionToken: "é".repeat(100) },
    ],
    [
      "a large one",
      CreateSessionRequestSchema,
      {
        checks: { user: { search: { case: "loginName", value: "a" } }, password: { password: "b" } },
        metadata: { key: new Uint8Array([1, 2]) },
        lifetime: { seconds: 3_600n, nanos: 5 },
      },
    ],
  ])("reads %s itself, from a Buffer as from a plain array of bytes", (_, schema, init) => {
    const bytes = toBinary(schema, create(schema, init));
    for (const same of [bytes, Buffer.from(bytes)]) {
      const ours = binaryDecoder(schema)(same);
      expect(ours).toBeDefined();
      expect(isDeepStrictEqual(ours, stock(schema, same))).toBe(true);
    }
  });

  it.each([
    ["an unknown field", [72, 1]],
    ["a field in another wire type", [8, 1]],
    ["a message that is there twice", [10, 0, 10, 0]],
    ["text that is no UTF-8", [10, 1, 255]],
    ["text that goes on behind the end", [10, 2, 120]],
    ["a length without an end", [10, 128, 128, 128, 128, 128, 0]],
  ])("leaves %s to protobuf-es", (what, bytes) => {
    const schema = what.startsWith("a message") ? CreateSessionRequestSchema : DeleteSessionRequestSchema;
    expect(binaryDecoder(schema)(new Uint8Array(bytes))).toBeUndefined();
  });
});
