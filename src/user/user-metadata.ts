import { DomainError } from "../errors.ts";
import type { UserEvent } from "./events.ts";

/** An empty value deletes the key. */
export type MetadataEntry = { key: string; value: Uint8Array };

const MAX_KEYS = 64;
const MAX_BYTES = 1_048_576;

/**
 * The events that bring a user's metadata to the given entries; keys not named stay as they are.
 * @param stored key to standard base64
 * @throws DomainError `user.metadata_too_large` if the result has more than 64 keys, or 1 MiB of values
 */
export function metadataEvents(
  stored: Readonly<Record<string, string>>,
  entries: readonly MetadataEntry[],
): UserEvent[] {
  const result = new Map(Object.entries(stored));
  const events: UserEvent[] = [];
  for (const { key, value: bytes } of entries) {
    const value = Buffer.from(bytes).toString("base64");
    if (bytes.length === 0) {
      if (result.delete(key)) events.push({ type: "user.metadata.removed", payload: { key } });
    } else if (result.get(key) !== value) {
      result.set(key, value);
      events.push({ type: "user.metadata.set", payload: { key, value } });
    }
  }
  const bytes = [...result.values()].reduce((sum, value) => sum + Buffer.byteLength(value, "base64"), 0);
  if (events.length > 0 && (result.size > MAX_KEYS || bytes > MAX_BYTES)) {
    throw new DomainError("user.metadata_too_large");
  }
  return events;
}
