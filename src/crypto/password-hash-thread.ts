/*
 * A thread that hashes passwords, one at a time, started by `password-hash-threads.ts`. It has less claim to a core
 * than the thread that serves: a burst of sign-ins then takes what reads and endings leave.
 */
import { constants, getPriority, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { hashPassword, type PasswordVerification, verifyPassword } from "./password-hash.ts";

/** With `encoded` it is verified, otherwise hashed. */
export type HashJob = { password: string; encoded?: string };

/** What became of it; `error` is why it could not be computed: want of memory, in practice. */
export type HashReply = { verification: PasswordVerification } | { encoded: string } | { error: string };

// On Linux 0 names the calling thread; elsewhere it would be the whole process. Not the lowest priority: where others
// leave no core idle, sign-ins still get about a tenth of one.
const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority;
if (process.platform === "linux")
  setPriority(0, Math.min(PRIORITY_LOW, getPriority(0) + PRIORITY_BELOW_NORMAL));

parentPort?.on("message", ({ password, encoded }: HashJob) => {
  let reply: HashReply;
  try {
    reply =
      encoded === undefined
        ? { encoded: hashPassword(password) }
        : { verification: verifyPassword(password, encoded) };
  } catch (error) {
    reply = { error: (error as Error).message };
  }
  parentPort?.postMessage(reply);
});
