import fc from "fast-check";
import { expect, test } from "vitest";
import { Restarts } from "../../src/cluster/restarts.ts";

test("a worker that served for long is replaced at once, however many did", () => {
  const restarts = new Restarts();
  for (let times = 0; times < 20; times++) expect(restarts.delayAfter(10_000)).toBe(0);
  expect(restarts.isCrashLoop).toBe(false);
});

test("workers that end early are replaced later and later, ten seconds at most", () => {
  const restarts = new Restarts();
  const delays = Array.from({ length: 9 }, () => restarts.delayAfter(0));
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test("five that end early in a row are a crash loop, and one in between that served for long makes it none", () => {
  const servedMs = fc.constantFrom(0, 1, 9_999, 10_000, 60_000);
  fc.assert(
    fc.property(fc.array(servedMs, { maxLength: 30 }), (lives) => {
      const restarts = new Restarts();
      for (const life of lives) restarts.delayAfter(life);
      const early = lives.length - 1 - lives.findLastIndex((life) => life >= 10_000);
      expect(restarts.isCrashLoop).toBe(early >= 5);
    }),
  );
});
