import { Worker } from "node:worker_threads";
import type { PasswordVerification } from "./password-hash.ts";
import type { HashJob, HashReply } from "./password-hash-thread.ts";

/** Threads that wait for work. They are started when there is none, shared by the process, and never hold it open. */
const idle: Worker[] = [];

/** `hashPassword` off the event loop; throws only for want of memory or of a thread. */
export async function hashOnThread(password: string): Promise<string> {
  const reply = await run({ password });
  if ("encoded" in reply) return reply.encoded;
  throw failed(reply);
}

/** `verifyPassword` off the event loop; throws only for want of memory or of a thread. */
export async function verifyOnThread(password: string, encoded: string): Promise<PasswordVerification> {
  const reply = await run({ password, encoded });
  if ("verification" in reply) return reply.verification;
  throw failed(reply);
}

function run(job: HashJob): Promise<HashReply> {
  return new Promise((resolve, reject) => {
    const thread = idle.pop() ?? new Worker(new URL("./password-hash-thread.ts", import.meta.url));
    const onReply = (reply: HashReply) => {
      thread.removeAllListeners();
      thread.unref();
      // Whatever ends it while nobody waits takes it out, so that the next job starts another.
      thread.once("error", () => {}).once("exit", () => void idle.splice(idle.indexOf(thread), 1));
      idle.push(thread);
      resolve(reply);
    };
    thread.removeAllListeners();
    thread.ref();
    thread.once("message", onReply).once("error", reject);
    thread.once("exit", () => reject(new Error("the thread that hashes passwords ended without an answer")));
    thread.postMessage(job);
  });
}

const failed = (reply: HashReply): Error =>
  new Error("error" in reply ? reply.error : "the thread that hashes passwords answered something else");
