import { codeAlphabets } from "../crypto/one-time-code.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";

/** What a code is for. */
export type CodePurpose =
  | "verifyEmail"
  | "verifyPhone"
  | "passwordReset"
  | "passkeyRegistration"
  | "otpSms"
  | "otpEmail";

/** How a code is made, and how long it is good for. */
export type CodeRecipe = { symbols: string; length: number; lifetimeMs: number };

const HOUR_MS = 3_600_000;
const FIVE_MINUTES_MS = 300_000;

/** Of a fresh instance (spec user-slice §18.2). */
const defaults: { readonly [purpose in CodePurpose]: CodeRecipe } = {
  verifyEmail: { symbols: codeAlphabets.upperAndDigits, length: 6, lifetimeMs: HOUR_MS },
  verifyPhone: { symbols: codeAlphabets.upperAndDigits, length: 6, lifetimeMs: HOUR_MS },
  passwordReset: { symbols: codeAlphabets.upperAndDigits, length: 6, lifetimeMs: HOUR_MS },
  passkeyRegistration: { symbols: codeAlphabets.lettersAndDigits, length: 12, lifetimeMs: HOUR_MS },
  otpSms: { symbols: codeAlphabets.digits, length: 8, lifetimeMs: FIVE_MINUTES_MS },
  otpEmail: { symbols: codeAlphabets.digits, length: 8, lifetimeMs: FIVE_MINUTES_MS },
};

/** The instance's recipe for this kind of code. */
export async function codeRecipe(
  _organizations: OrganizationRepository,
  purpose: CodePurpose,
): Promise<CodeRecipe> {
  return defaults[purpose];
}
