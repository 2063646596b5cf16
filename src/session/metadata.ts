import { DomainError } from "../errors.ts";

/** Key to bytes; an empty value deletes the key. */
export type MetadataPatch = Readonly<Record<string, Uint8Array>>;

const MAX_KEYS = 64;
const MAX_VALUE_BYTES = 65_536;

/**
 * What the stored map becomes under a patch (the table of spec session-api §13).
 * @param stored key to standard base64
 * @returns the whole resulting map, or undefined if the patch changes nothing
 * @throws DomainError `session.metadata_too_large` if the result has more than 64 keys, or a value more than 64 KiB
 */
export function patchMetadata(
  stored: Readonly<Record<string, string>>,
  patch: MetadataPatch,
): Record<string, string> | undefined {
  const result = new Map(Object.entries(stored));
  let changed = false;
  for (const [key, value] of Object.entries(patch)) {
    if (value.length > MAX_VALUE_BYTES) throw new DomainError("session.metadata_too_large");
    const text = Buffer.from(value).toString("base64");
    if (value.length === 0) changed = result.delete(key) || changed;
    else if (result.get(key) !== text) {
      result.set(key, text);
      changed = true;
    }
  }
  if (result.size > MAX_KEYS) throw new DomainError("session.metadata_too_large");
  return changed ? Object.fromEntries(result) : undefined;
}
