import { timingSafeEqual } from "node:crypto";
import { decrypt, encrypt } from "./encryption.ts";

/**
 * A text to be read back later, encrypted for a JSON column: standard base64.
 * @param binding what the text belongs to, `session/<id>/otp_sms`; it opens for nothing else
 */
export function sealText(key: Uint8Array, text: string, binding: string): string {
  return Buffer.from(encrypt(key, Buffer.from(text), binding)).toString("base64");
}

/** @throws DecryptionError if it was changed, or sealed under another key or binding */
export function openText(key: Uint8Array, sealed: string, binding: string): string {
  return Buffer.from(decrypt(key, Buffer.from(sealed, "base64"), binding)).toString();
}

/** Whether somebody knows the sealed text. Takes as long wherever the first difference is. */
export function knowsText(key: Uint8Array, sealed: string, binding: string, given: string): boolean {
  const [known, tried] = [Buffer.from(openText(key, sealed, binding)), Buffer.from(given)];
  return known.length === tried.length && timingSafeEqual(known, tried);
}
