import type { Caller } from "../../auth/caller.ts";
import { oneTimeCode } from "../../crypto/one-time-code.ts";
import { uuidV7 } from "../../crypto/random-ids.ts";
import { knowsText, sealText } from "../../crypto/sealed-text.ts";
import { DomainError } from "../../errors.ts";
import type { CodeRecipe } from "../../organization/secret-generators.ts";
import { change } from "../../storage/aggregate.ts";
import type { PasskeyCode } from "../../storage/tables.ts";
import type { UserDependencies } from "../dependencies.ts";
import type { UserEvent } from "../events.ts";
import { mayAct } from "../permissions.ts";
import { type UserState, userAggregate, userExists } from "../user.ts";

/** A code as its holder gives it, with the id that came along. */
export type GivenPasskeyCode = { id: string; code: string };

/** A fresh code: what its holder gets, and what is stored of it. */
export type IssuedPasskeyCode = GivenPasskeyCode & {
  expiresAt: Date;
  payload: { id: string; code: string; expiresAt: string };
};

/** Wrong guesses at one code after which no guess is right any more. */
const MAX_GUESSES = 10;

export function issuePasskeyCode(
  { encryptionKey, clock }: Pick<UserDependencies, "encryptionKey" | "clock">,
  { symbols, length, lifetimeMs }: CodeRecipe,
  userId: string,
): IssuedPasskeyCode {
  const [id, code] = [uuidV7(), oneTimeCode(symbols, length)];
  const expiresAt = new Date(clock().getTime() + lifetimeMs);
  const sealed = sealText(encryptionKey, code, bindingOf(userId, id));
  return { id, code, expiresAt, payload: { id, code: sealed, expiresAt: expiresAt.toISOString() } };
}

/**
 * Lets a caller act for a user by a code. A wrong guess is stored.
 * @returns the user, and what is to be stored with what the code was good for
 * @throws DomainError `user.passkey_code_invalid`, whatever is wrong with it: also to those who may not know that there
 *   is no such user. Those who may: `user.web_auth_n_user_not_found`
 */
export async function redeemPasskeyCode(
  dependencies: UserDependencies,
  caller: Caller,
  found: UserState | undefined,
  given: GivenPasskeyCode,
): Promise<{ user: UserState; redeemed: UserEvent[] }> {
  if (found === undefined || !userExists(found) || found.type !== "human") {
    const mayKnow = mayAct(caller, found, "user.credential.write", "selfOrPermission");
    throw new DomainError(mayKnow ? "user.web_auth_n_user_not_found" : "user.passkey_code_invalid");
  }
  const open = openPasskeyCode(found, given.id, dependencies.clock());
  if (open === undefined) throw new DomainError("user.passkey_code_invalid");
  const binding = bindingOf(found.id, open.id);
  const isRight = knowsText(dependencies.encryptionKey, open.encrypted, binding, given.code);
  const checked: UserEvent = {
    type: `user.human.passwordless.initialization.code.check.${isRight ? "succeeded" : "failed"}`,
    payload: { id: open.id },
  };
  if (isRight) return { user: found, redeemed: [checked] };
  await dependencies.events.append([change(userAggregate, found, [checked], caller.userId)]);
  throw new DomainError("user.passkey_code_invalid");
}

/** The code of this id, unless it is too old, or was guessed at too often. */
export function openPasskeyCode({ passkeyCodes }: UserState, id: string, at: Date): PasskeyCode | undefined {
  return passkeyCodes.find(
    (code) => code.id === id && new Date(code.expiresAt) >= at && code.failedAttempts < MAX_GUESSES,
  );
}

const bindingOf = (userId: string, codeId: string): string => `user/${userId}/passkey_code/${codeId}`;
