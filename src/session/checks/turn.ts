import { loginNameKey } from "../../user/user.ts";
import type { Checks } from "./run-checks.ts";

/** Whom the request's user check names, in the words it uses: two words for one user are two lines, which is no harm. */
export function checkedUser({ user }: Checks): string | undefined {
  return user && ("userId" in user ? user.userId : loginNameKey(user.loginName));
}

/** Whether the request wants something proven, beyond saying whom the session is about. */
export function provesSomething({ user: _, ...proofs }: Checks): boolean {
  return Object.values(proofs).some((proof) => proof !== undefined);
}

/**
 * Requests that prove something about one user take turns before anything is verified: a burst of guesses spends its
 * attempts and is refused as locked, instead of filling the hasher's queue and keeping everybody else from signing in.
 */
export function turnOf(checks: Checks): { inTurn: boolean } {
  return { inTurn: provesSomething(checks) };
}
