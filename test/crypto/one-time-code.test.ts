import { describe, expect, test } from "vitest";
import { codeAlphabets, oneTimeCode } from "../../src/crypto/one-time-code.ts";

const alphabets: [keyof typeof codeAlphabets, RegExp, number][] = [
  ["digits", /^[0-9]+$/, 10],
  ["upperAndDigits", /^[A-Z0-9]+$/, 36],
  ["lettersAndDigits", /^[A-Za-z0-9]+$/, 62],
];

describe.each(alphabets)("%s", (alphabet, pattern, size) => {
  test("has the length asked for and nothing else in it", () => {
    expect(new Set(codeAlphabets[alphabet]).size).toBe(size);
    for (const length of [1, 6, 8, 12, 100]) {
      const code = oneTimeCode(codeAlphabets[alphabet], length);
      expect(code).toHaveLength(length);
      expect(code).toMatch(pattern);
    }
  });

  test("every symbol occurs, none more often than chance allows", () => {
    const drawn = 2_000 * size;
    const counts = new Map<string, number>();
    for (const symbol of oneTimeCode(codeAlphabets[alphabet], drawn))
      counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([...codeAlphabets[alphabet]].sort());
    // Each count is about normal around 2,000 with a deviation of at most 45: seven of them never happen.
    for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(315);
  });
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("a length of %s is refused", (length) => {
  expect(() => oneTimeCode(codeAlphabets.digits, length)).toThrow(RangeError);
});
