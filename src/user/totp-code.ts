import { HOTP, Secret } from "otpauth";

/** What authenticator apps take for granted, and many of them never read from the URI. */
const ALGORITHM = "SHA1";
const DIGITS = 6;
const PERIOD_SECONDS = 30;

/** Steps before and after the present one that count too: clocks differ, and people type slowly (RFC 6238 §5.2). */
const TOLERANCE_STEPS = 1;

const SECRET_BYTES = 20;

/**
 * RFC 4226 §4 (R6) asks for 16 bytes and recommends 20. What comes from elsewhere may be 10, which is what widespread
 * issuers hand out: refusing them would not make those secrets longer, it would keep their owners from moving here.
 */
const MIN_IMPORTED_BYTES = 10;

/** A new secret as apps take it: 20 random bytes in base32 without padding, 32 characters. */
export function newTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/**
 * A secret from elsewhere, in the one form we keep; case, spaces between groups and padding are as people paste them.
 * @returns undefined if it is no base32 (RFC 4648 §6), or too short
 */
export function importedTotpSecret(text: string): string | undefined {
  const symbols = text.replaceAll(" ", "").replace(/=+$/, "");
  // A last group of one, three or six symbols encodes nothing: one was lost on the way.
  if (!/^[A-Za-z2-7]+$/.test(symbols) || [1, 3, 6].includes(symbols.length % 8)) return undefined;
  const secret = Secret.fromBase32(symbols);
  return secret.bytes.length < MIN_IMPORTED_BYTES ? undefined : secret.base32;
}

/**
 * What an authenticator app reads as a QR code (the "Key URI Format" of Google Authenticator), parameters in
 * alphabetical order.
 * @param issuer  holds no colon, which would end it
 * @param account what the app shows beside the issuer
 */
export function totpUri(issuer: string, account: string, secret: string): string {
  const [by, name] = [escaped(issuer), escaped(account)];
  return `otpauth://totp/${by}:${name}?algorithm=${ALGORITHM}&digits=${DIGITS}&issuer=${by}&period=${PERIOD_SECONDS}&secret=${secret}`;
}

/**
 * Checks a TOTP code (RFC 6238: SHA-1, six digits, steps of 30 s since 1970), in a time that does not tell how wrong it is.
 * @param code as typed; blanks around it do not count
 * @param at the moment of the check; one step either way is accepted
 * @param lastStep the step of the last code that was accepted: it and all before it count no more (§5.2)
 * @returns the step of the code, the older one should two share it; undefined if the code is wrong
 */
export function matchingStep(
  secret: string,
  code: string,
  at: Date,
  lastStep: number | null,
): number | undefined {
  const token = code.trim();
  // Digits of other scripts are as many characters but more bytes, which the comparison would throw at.
  if (!/^[0-9]{6}$/.test(token)) return undefined;
  const present = Math.floor(at.getTime() / 1_000 / PERIOD_SECONDS);
  const key = Secret.fromBase32(secret);
  const matches: number[] = [];
  for (let step = present - TOLERANCE_STEPS; step <= present + TOLERANCE_STEPS; step++) {
    const codeOfStep = { token, secret: key, algorithm: ALGORITHM, digits: DIGITS, counter: step, window: 0 };
    if (step > (lastStep ?? -1) && HOTP.validate(codeOfStep) !== null) matches.push(step);
  }
  return matches[0];
}

// Half a surrogate pair, which no URI can hold, becomes the replacement character.
const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());
