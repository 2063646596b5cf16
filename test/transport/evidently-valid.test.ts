import { create, type DescMessage } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  ListSessionsRequestSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { isEvidentlyValid } from "../../src/transport/interceptors/evidently-valid.ts";
import { anyMessage } from "../support/any-message.ts";

const validator = createValidator({ failFast: true });
const isValid = (schema: DescMessage, message: never) => validator.validate(schema, message).kind === "valid";

describe("a message that keeps all rules at a glance", () => {
  it("keeps all rules", () => {
    let evident = 0;
    fc.assert(
      fc.property(anyMessage({ wrongs: 0 }), ({ schema, message }) => {
        if (!isEvidentlyValid(schema, message)) return;
        evident += 1;
        expect(isValid(schema, message as never)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(evident).toBeGreaterThan(2_000);
  });

  it.each<[DescMessage, Record<string, unknown>]>([
    [DeleteSessionRequestSchema, { sessionId: "a" }],
    [DeleteSessionRequestSchema, { sessionId: "x".repeat(200), sessionToken: "x".repeat(200) }],
    [CreateSessionRequestSchema, { checks: { user: { search: { case: "userId", value: "a" } } } }],
    [CreateSessionRequestSchema, { metadata: { key: new Uint8Array(65_536) } }],
    [ListSessionsRequestSchema, {}],
  ])("is one of %s (example %#)", (schema, init) => {
    expect(isEvidentlyValid(schema, create(schema, init))).toBe(true);
  });

  it.each<[DescMessage, Record<string, unknown>]>([
    [DeleteSessionRequestSchema, {}],
    [DeleteSessionRequestSchema, { sessionId: "x".repeat(201) }],
    [CreateSessionRequestSchema, { checks: { user: { search: { case: "userId", value: "" } } } }],
    [CreateSessionRequestSchema, { checks: { user: {} } }],
    [CreateSessionRequestSchema, { metadata: { key: new Uint8Array(65_537) } }],
    [CreateSessionRequestSchema, { metadata: { "": new Uint8Array(1) } }],
    [
      CreateSessionRequestSchema,
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, key) => [key, new Uint8Array(1)])) },
    ],
    [CreateSessionRequestSchema, { lifetime: { seconds: -1n } }],
  ])("is none of %s that breaks one (example %#)", (schema, init) => {
    const message = create(schema, init);
    expect(isValid(schema, message as never)).toBe(false);
    expect(isEvidentlyValid(schema, message)).toBe(false);
  });
});
