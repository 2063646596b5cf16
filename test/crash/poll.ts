import { setTimeout } from "node:timers/promises";

const POLL_MS = 5;

/**
 * Asks until the answer is something other than undefined or false.
 * @throws if that takes longer than `withinMs`; `what` completes "waited in vain for …"
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 40_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what} (${withinMs} ms)`);
    await setTimeout(POLL_MS);
  }
}

/** The promise, or an error once it took longer than `withinMs`. */
export async function within<T>(what: string, withinMs: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = globalThis.setTimeout(
    () => late.reject(new Error(`${what} took more than ${withinMs} ms`)),
    withinMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
