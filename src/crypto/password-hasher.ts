import { availableParallelism } from "node:os";
import type { PasswordVerification } from "./password-hash.ts";
import { hashPassword, verifyPassword } from "./password-hash.ts";

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
 * Hashes and verifies in arrival order, within bounds on cores, memory (about 19 MiB each) and waiting callers.
 * @param processes how many processes share the machine with equal rights, this one included: the defaults of the other
 *   two are for all of them together
 * @param parallel how many run at once. By default one per core, but never the whole thread pool of libuv (4 unless
 *   UV_THREADPOOL_SIZE says otherwise): name look-ups and files wait for the same threads.
 * @param queueLimit how many more may wait; by default 100, about two seconds on two cores
 */
export function createPasswordHasher({
  processes = 1,
  parallel = Math.max(
    1,
    Math.min(
      Math.ceil(availableParallelism() / processes),
      (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1,
    ),
  ),
  queueLimit = Math.ceil(100 / processes),
}: {
  processes?: number | undefined;
  parallel?: number;
  queueLimit?: number;
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
    hash: (password) => bounded(() => hashPassword(password)),
    verify: (password, encoded) => bounded(() => verifyPassword(password, encoded)),
  };
}
