import { oneTimeCode } from "../crypto/one-time-code.ts";
import { knowsText, sealText } from "../crypto/sealed-text.ts";
import type { CodeRecipe } from "../organization/secret-generators.ts";
import type { VerificationCode } from "../storage/tables.ts";

/** Which of a user's codes: in bindings, and in what messages are about. */
export type CodePart = "email_code" | "phone_code" | "password_code";

/** A fresh code: the text for its owner, and what is stored of it. */
export type IssuedCode = { text: string; payload: { code: string; expiresAt: string } };

/** A code that is to be sent. */
export type UnsentCode = IssuedCode & {
  part: CodePart;
  channel: "email" | "sms";
  urlTemplate?: string | undefined;
};

/** Wrong guesses at one code after which no guess is right any more: of 36^6 codes that is one in twenty million. */
const MAX_GUESSES = 100;

/** A code bound to its user and its purpose. */
export function issueCode(
  { encryptionKey, clock }: { encryptionKey: Uint8Array; clock: () => Date },
  { symbols, length, lifetimeMs }: CodeRecipe,
  userId: string,
  part: CodePart,
): IssuedCode {
  const text = oneTimeCode(symbols, length);
  return {
    text,
    payload: {
      code: sealText(encryptionKey, text, bindingOf(userId, part)),
      expiresAt: new Date(clock().getTime() + lifetimeMs).toISOString(),
    },
  };
}

/** How a code that was typed in compares with the one that is waited for. */
export type CodeVerdict = "right" | "wrong" | "expired" | "none";

/**
 * Judges a code. It is exact: upper and lower case differ, and so does a blank. One that was guessed at too often is
 * waited for no longer.
 */
export function judgeCode(
  { encryptionKey, clock }: { encryptionKey: Uint8Array; clock: () => Date },
  stored: VerificationCode | null,
  userId: string,
  part: CodePart,
  given: string,
): CodeVerdict {
  if (stored === null || (stored.failedAttempts ?? 0) >= MAX_GUESSES) return "none";
  if (new Date(stored.expiresAt) < clock()) return "expired";
  return knowsText(encryptionKey, stored.encrypted, bindingOf(userId, part), given) ? "right" : "wrong";
}

const bindingOf = (userId: string, part: CodePart): string => `user/${userId}/${part}`;
