import { availableParallelism } from "node:os";
import type { PasswordVerification } from "./password-hash.ts";
import { hashOnThread, verifyOnThread } from "./password-hash-threads.ts";

/** More callers want a password hashed than may wait; nothing was computed for this one. */
export class PasswordHashQueueFull extends Error {
  constructor() {
    super("too many passwords are waiting to be hashed");
    this.name = "PasswordHashQueueFull";
  }
}

/** `hashPassword` and `verifyPassword`, of which only so many run at once; both may throw PasswordHashQueueFull. */
export type PasswordHasher = {
  hash(password: string): Promise<string>;
  verify(password: string, encoded: string): Promise<PasswordVerification>;
};

/**
 * How many threads hash by default: one per core but one, so that reads beside a burst of sign-ins wait for no core.
 * With one per core their p99 tripled (docs/decisions/0020-passwords-on-threads-that-yield.md).
 */
export const defaultParallel = (processes = 1): number =>
  Math.max(1, Math.min(Math.floor((availableParallelism() - 1) / processes), 4));

/**
 * Hashes and verifies in arrival order, within bounds on cores, memory (about 19 MiB each) and waiting callers.
 * @param processes how many processes share the machine with equal rights, this one included: the defaults of the next
 *   two are for all of them together
 * @param parallel how many run at once
 * @param queueLimit how many more may wait; by default 100, about two seconds of one core
 * @param rehash false: no hash is of older make, so that imported ones stay what they are
 */
export function createPasswordHasher({
  processes = 1,
  parallel = defaultParallel(processes),
  queueLimit = Math.ceil(100 / processes),
  rehash = true,
}: {
  processes?: number | undefined;
  parallel?: number;
  queueLimit?: number;
  rehash?: boolean;
} = {}): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (running < parallel) running += 1;
    else if (waiting.length >= queueLimit) throw new PasswordHashQueueFull();
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place is handed on, not given back: no newcomer can slip in before the one who waited.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: (password) => bounded(() => hashOnThread(password)),
    async verify(password, encoded) {
      const { matches, needsRehash } = await bounded(() => verifyOnThread(password, encoded));
      return { matches, needsRehash: needsRehash && rehash };
    },
  };
}
