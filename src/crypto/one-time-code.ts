import { randomInt } from "node:crypto";

const lower = "abcdefghijklmnopqrstuvwxyz";
const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
/** On every keyboard, and one unit each in a text message (GSM 03.38). */
const symbols = "!#$%&*+-=?@_";

/** What a code may be made of; ZITADEL's three generators use these (spec, user slice §18.2). */
export const codeAlphabets = {
  digits,
  upperAndDigits: upper + digits,
  lettersAndDigits: lower + upper + digits,
} as const;

/** The alphabet made of these kinds of symbols; empty if it is of none. */
export function alphabetOf(kinds: {
  lowerLetters: boolean;
  upperLetters: boolean;
  digits: boolean;
  symbols: boolean;
}): string {
  const letters = (kinds.lowerLetters ? lower : "") + (kinds.upperLetters ? upper : "");
  return letters + (kinds.digits ? digits : "") + (kinds.symbols ? symbols : "");
}

/**
 * A code for a person to type, every symbol equally likely and drawn independently of the others.
 *
 * `randomInt` rejects what a modulo would fold: no symbol is favoured and none is left out (ZITADEL's generator
 * never draws the last one).
 * @param symbols what to draw from, `codeAlphabets.digits` for one
 * @param length symbols, 1 or more
 * @throws RangeError if the length is not a positive integer
 */
export function oneTimeCode(symbols: string, length: number): string {
  if (!Number.isSafeInteger(length) || length < 1) throw new RangeError("a code has at least one symbol");
  let code = "";
  while (code.length < length) code += symbols[randomInt(symbols.length)];
  return code;
}
