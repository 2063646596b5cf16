import { DomainError } from "../errors.ts";

const MIN_LENGTH = 8;

/**
 * Holds a new password to the default policy of an instance (spec user-slice §15): eight characters, of which a lower
 * case and an upper case letter, a number, and something that is neither.
 * @throws DomainError `user.password_too_short`, `…_lower_missing`, `…_upper_missing`, `…_number_missing`,
 *   `…_symbol_missing`
 */
export function checkPasswordPolicy(password: string): void {
  // Characters, not UTF-16 units: an emoji is one.
  if ([...password].length < MIN_LENGTH) throw new DomainError("user.password_too_short");
  if (!/\p{Ll}/u.test(password)) throw new DomainError("user.password_lower_missing");
  if (!/\p{Lu}/u.test(password)) throw new DomainError("user.password_upper_missing");
  if (!/\p{Nd}/u.test(password)) throw new DomainError("user.password_number_missing");
  if (!/[^\p{L}\p{Nd}]/u.test(password)) throw new DomainError("user.password_symbol_missing");
}
