import fc from "fast-check";
import { expect, test } from "vitest";
import { retryAfterMs } from "../../src/notification/backoff.ts";
import { masked } from "../../src/notification/masked.ts";

test("the wait doubles with each attempt, up to two minutes", () => {
  const longest = Array.from({ length: 9 }, (_, index) => retryAfterMs(index + 1, () => 1));
  expect(longest).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000, 120_000]);
});

test("the wait is random between half and all of that", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempts, dice) => {
        const most = retryAfterMs(attempts, () => 1);
        const wait = retryAfterMs(attempts, () => dice);
        expect(wait).toBeGreaterThanOrEqual(most / 2);
        expect(wait).toBeLessThanOrEqual(most);
        expect(Number.isInteger(wait)).toBe(true);
      },
    ),
  );
  const waits = new Set(Array.from({ length: 50 }, () => retryAfterMs(5)));
  expect(waits.size).toBeGreaterThan(10);
});

test.each([
  ["ada@example.org", "a***@example.org"],
  ["a@b", "a***@b"],
  ["+41791234567", "***67"],
  ["1", "***1"],
  ["", "***"],
])("%s is logged as %s", (recipient, shown) => {
  expect(masked(recipient)).toBe(shown);
});
