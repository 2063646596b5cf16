import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Code, ConnectError } from "@connectrpc/connect";

/** A `google.rpc.Status` as JSON text; members with default values are omitted. */
export function statusBody(code: Code, message: string, details: readonly JsonObject[] = []): string {
  const status: JsonObject = { code };
  if (message !== "") status.message = message;
  if (details.length > 0) status.details = [...details];
  return JSON.stringify(status);
}

/** The Status of an error as it came out of the Connect handler, each detail an `Any` with its fields inline. */
export const errorBody = (error: ConnectError): string =>
  statusBody(
    error.code,
    error.rawMessage,
    error.details.map((detail) =>
      "desc" in detail ? {} : inlineAny(detail.type, (detail as { debug?: JsonValue }).debug, detail.value),
    ),
  );

/**
 * Connect sends a detail's JSON form beside its bytes, so no registry of message types is needed here. A message whose
 * JSON form is no object (a Duration is a string) goes under `value`, as the mapping of `Any` has it.
 */
function inlineAny(type: string, json: JsonValue | undefined, bytes: Uint8Array): JsonObject {
  const typeUrl = `type.googleapis.com/${type}`;
  if (json === undefined) return { "@type": typeUrl, value: base64Encode(bytes) };
  const isPlain =
    typeof json === "object" && json !== null && !Array.isArray(json) && !type.startsWith("google.protobuf.");
  return isPlain ? { "@type": typeUrl, ...json } : { "@type": typeUrl, value: json };
}
