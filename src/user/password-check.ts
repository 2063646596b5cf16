import type { PasswordHasher } from "../crypto/password-hasher.ts";
import { askOnce } from "./ask-once.ts";
import type { UserEvent } from "./events.ts";
import type { UserState } from "./user.ts";

/** Whether a password matched, and a fresh hash if the stored one is of older make. */
export type PasswordVerdict = { matches: boolean; rehash?: string };

/** A password verified once per command, however often the command is decided again. */
export type PasswordVerification = (password: string, hash: string) => Promise<PasswordVerdict>;

export function verifyOnce({ passwords }: { passwords: PasswordHasher }): PasswordVerification {
  const verify: PasswordVerification = async (password, hash) => {
    const { matches, needsRehash } = await passwords.verify(password, hash);
    return matches && needsRehash ? { matches, rehash: await passwords.hash(password) } : { matches };
  };
  // One command checks one password, so the hash alone tells its verifications apart.
  return askOnce((_, hash) => hash, verify);
}

/** What a verified password leaves on the user; `failedAttempts` only if it was wrong, this time included. */
export type PasswordAttempt = { events: UserEvent[]; failedAttempts?: number };

/**
 * What a verified password means for the user (spec session-api §10.2, 6 and 7), whoever asked for the check.
 * @param maxAttempts wrong passwords in a row that lock the user; 0 = never
 */
export function decidePasswordAttempt(
  user: UserState,
  { matches, rehash }: PasswordVerdict,
  maxAttempts: number,
): PasswordAttempt {
  if (matches) {
    const events: UserEvent[] = [{ type: "user.human.password.check.succeeded", payload: {} }];
    if (rehash !== undefined) {
      events.push({ type: "user.human.password.hash.updated", payload: { encodedHash: rehash } });
    }
    return { events };
  }
  const failedAttempts = user.passwordFailedAttempts + 1;
  const events: UserEvent[] = [{ type: "user.human.password.check.failed", payload: {} }];
  // Who was deactivated a moment ago stays so: a lock could be undone by those who unlock.
  const locks = user.status === "active" && maxAttempts > 0 && failedAttempts >= maxAttempts;
  if (locks) events.push({ type: "user.locked", payload: {} });
  return { events, failedAttempts };
}
