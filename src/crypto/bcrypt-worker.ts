/*
 * One bcrypt verification in a thread of its own, started by `password-hash.ts`.
 *
 * bcryptjs is JavaScript: its asynchronous form holds the event loop for 100 to 200 ms at a time (measured at cost
 * 12 and 14), which every other request would feel. A thread costs about 60 ms to start, once per imported
 * password: a match is rehashed with Argon2id.
 */
import { timingSafeEqual } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { decodeBase64, hashSync } from "bcryptjs";

/** What the thread is given; it answers with one boolean. */
export type BcryptJob = { password: string; encoded: string };

// `$2b$10$` and 22 characters of salt, then 31 characters that hold 23 bytes.
const saltEnd = 29;
const digestOf = (encoded: string) => Uint8Array.from(decodeBase64(encoded.slice(saltEnd), 23));

const { password, encoded } = workerData as BcryptJob;
// Decoded first: the last character carries two bits of padding that some libraries leave set.
const computed = digestOf(hashSync(password, encoded.slice(0, saltEnd)));
parentPort?.postMessage(timingSafeEqual(computed, digestOf(encoded)));
