import { DomainError } from "../errors.ts";

/** Waits; a parameter, so that tests need not. */
export type Delay = (milliseconds: number) => Promise<void>;

/** Failures that are answered at once, failures per further step, and a step's length (spec session-api §10.9). */
const FREE_FAILURES = 5;
const FAILURES_PER_STEP = 5;
const STEP_MS = 1_000;
const MAX_MS = 10_000;

/** @param failures wrong answers of one factor in a row, this one included */
export function tarpitMs(failures: number): number {
  if (failures < FREE_FAILURES) return 0;
  return Math.min(Math.floor((failures - FREE_FAILURES) / FAILURES_PER_STEP) * STEP_MS, MAX_MS);
}

/**
 * Holds the answer to a wrong guess back, the longer the more there were. Only the caller waits: what is held is a
 * finished command, no turn, no connection and no batch.
 */
export async function heldBack<T>(delay: Delay, command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    const wait = error instanceof DomainError ? tarpitMs(error.consecutiveFailures) : 0;
    if (wait > 0) await delay(wait);
    throw error;
  }
}
