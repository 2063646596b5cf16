import { DomainError } from "../errors.ts";
import type { PasswordComplexity } from "../storage/instance-settings.ts";

/**
 * Holds a new password to the policy of the instance (spec user-slice §15). A symbol is what is neither letter nor
 * number.
 * @throws DomainError `user.password_too_short`, `…_lower_missing`, `…_upper_missing`, `…_number_missing`,
 *   `…_symbol_missing`
 */
export function checkPasswordPolicy(password: string, policy: PasswordComplexity): void {
  const lacks = (required: boolean, kind: RegExp) => required && !kind.test(password);
  // Characters, not UTF-16 units: an emoji is one.
  if ([...password].length < policy.minLength) throw new DomainError("user.password_too_short");
  if (lacks(policy.hasLowercase, /\p{Ll}/u)) throw new DomainError("user.password_lower_missing");
  if (lacks(policy.hasUppercase, /\p{Lu}/u)) throw new DomainError("user.password_upper_missing");
  if (lacks(policy.hasNumber, /\p{Nd}/u)) throw new DomainError("user.password_number_missing");
  if (lacks(policy.hasSymbol, /[^\p{L}\p{Nd}]/u)) throw new DomainError("user.password_symbol_missing");
}
