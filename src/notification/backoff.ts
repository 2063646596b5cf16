const FIRST_MS = 2_000;
const LONGEST_MS = 120_000;

/**
 * How long to wait after a number of attempts in vain: 2, 4, 8, … seconds, two minutes at most, and of that at random
 * between half and all, so that many messages that failed together do not come back together.
 * @param attempts 1 or more
 */
export function retryAfterMs(attempts: number, random: () => number = Math.random): number {
  const longest = Math.min(FIRST_MS * 2 ** (attempts - 1), LONGEST_MS);
  return Math.round(longest * (0.5 + random() / 2));
}
