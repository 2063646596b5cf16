import { createHmac } from "node:crypto";
import type { Caller } from "../auth/caller.ts";
import { oneTimeCode } from "../crypto/one-time-code.ts";
import { DomainError } from "../errors.ts";
import type { Details } from "../storage/details.ts";
import { changeFactor } from "./change-factor.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import type { UserState } from "./user.ts";

/** Without the letters that are read as digits or as each other (spec user-slice §9). */
const SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz";
const HALF_LENGTH = 5;

/** Codes a person may have in stock. */
const MAX_CODES = 10;

/** The codes are shown here and never again. */
export type GeneratedRecoveryCodes = { details: Details; codes: string[] };

/**
 * Adds recovery codes to those a person has left.
 * @param command.count 1 or more
 * @throws DomainError `auth.permission_denied`, `user.recovery_codes_count_invalid`,
 *   `user.recovery_codes_user_not_found`, `user.recovery_codes_too_many`
 */
export async function generateRecoveryCodes(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, count }: { userId: string; count: number },
): Promise<GeneratedRecoveryCodes> {
  if (!(count >= 1)) throw new DomainError("user.recovery_codes_count_invalid");
  // More than that are refused below: no need to draw them.
  const codes = Array.from({ length: Math.min(count, MAX_CODES + 1) }, newRecoveryCode);
  const digests = codes.map((code) => recoveryCodeDigest(dependencies.recoveryCodeKey, userId, code));
  const act = {
    permission: "user.credential.write",
    notFound: "user.recovery_codes_user_not_found",
  } as const;
  const details = await changeFactor(dependencies, caller, userId, act, (user) =>
    decideAddRecoveryCodes(user, digests),
  );
  return { details, codes };
}

export function decideAddRecoveryCodes({ recoveryCodes }: UserState, digests: string[]): UserEvent[] {
  const left = recoveryCodes?.length ?? 0;
  if (left + digests.length > MAX_CODES) throw new DomainError("user.recovery_codes_too_many");
  return [{ type: "user.human.mfa.recoverycode.added", payload: { codes: digests } }];
}

/**
 * Removes all recovery codes of a person; removing none succeeds and changes nothing.
 * @throws DomainError `auth.permission_denied`, `user.recovery_codes_user_not_found`, `user.recovery_codes_locked`
 */
export function removeRecoveryCodes(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<Details> {
  const act = {
    permission: "user.credential.write",
    notFound: "user.recovery_codes_user_not_found",
  } as const;
  return changeFactor(dependencies, caller, userId, act, decideRemoveRecoveryCodes);
}

export function decideRemoveRecoveryCodes({ status, recoveryCodes }: UserState): UserEvent[] {
  if (status === "locked") throw new DomainError("user.recovery_codes_locked");
  return recoveryCodes === null ? [] : [{ type: "user.human.mfa.recoverycode.removed", payload: {} }];
}

/** 50 random bits, as `7k2mq-x0c9d`; small letters and the hyphen are part of it. */
export function newRecoveryCode(): string {
  return `${oneTimeCode(SYMBOLS, HALF_LENGTH)}-${oneTimeCode(SYMBOLS, HALF_LENGTH)}`;
}

/**
 * What is stored of a recovery code: HMAC-SHA-256 over owner and code, base64url. Without the key, which is not in the
 * database, a stolen digest cannot be tried; with it one lookup tells a code, where a slow hash would have to be
 * computed for every code in stock.
 * @param key from `deriveKey`
 */
export function recoveryCodeDigest(key: Uint8Array, userId: string, code: string): string {
  return createHmac("sha256", key)
    .update(JSON.stringify([userId, code]))
    .digest("base64url");
}
