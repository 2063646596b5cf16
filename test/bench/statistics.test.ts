import fc from "fast-check";
import { expect, test } from "vitest";
import { busyMicroseconds, median, percentile, ratios, spreadOf, summarize } from "../../bench/statistics.ts";

const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });

test("the median is the middle, whatever the order", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9])).toBe(9.5);
});

test("at least the share of all values does not exceed a percentile, and fewer do not exceed any value below", () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (all, share) => {
      const found = percentile(all, share);
      const upTo = (most: (value: number) => boolean) => all.filter(most).length / all.length;
      expect(all).toContain(found);
      expect(upTo((value) => value <= found)).toBeGreaterThanOrEqual(share - 1e-12);
      expect(upTo((value) => value < found)).toBeLessThan(share + 1e-12);
    }),
  );
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
});

test("a spread holds its median", () => {
  fc.assert(
    fc.property(values, (all) => {
      const { median, least, most } = spreadOf(all);
      expect(least).toBeLessThanOrEqual(median);
      expect(median).toBeLessThanOrEqual(most);
    }),
  );
});

const round = (perSecond: number, cpuMicroseconds?: number, databaseCpuMicroseconds?: number) => ({
  ...{ perSecond, p50Ms: 1, p99Ms: 2, cpuMicroseconds, databaseCpuMicroseconds },
});

test("ratios are taken round by round, so that what slows a whole round down changes none", () => {
  const slowed = [1, 0.1, 0.5];
  const measured = slowed.map((factor) => round(200 * factor));
  const limit = slowed.map((factor) => round(100 * factor));
  expect(ratios(measured, limit)).toEqual({ median: 2, least: 2, most: 2 });
});

test("processor time is known only if it is of all rounds, and of server and database both", () => {
  expect(summarize([round(1, 10), round(3, 30), round(2, 20)])).toMatchObject({
    ...{ perSecond: 2, cpuMicroseconds: 20, databaseCpuMicroseconds: undefined },
  });
  expect(summarize([round(1, 10), round(1)]).cpuMicroseconds).toBeUndefined();
  expect(busyMicroseconds(round(1, 10, 5))).toBe(15);
  expect(busyMicroseconds(round(1, 10))).toBeUndefined();
});
