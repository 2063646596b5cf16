import { createHash } from "node:crypto";

/** Longer handles no browser takes (WebAuthn Level 3 §5.4.3). */
const MAX_BYTES = 64;

/**
 * What authenticators know a user by: the bytes of its id, or of an id too long for that their SHA-256.
 * @returns base64url
 */
export function userHandleOf(userId: string): string {
  const bytes = Buffer.from(userId);
  const handle = bytes.length <= MAX_BYTES ? bytes : createHash("sha256").update(bytes).digest();
  return handle.toString("base64url");
}
