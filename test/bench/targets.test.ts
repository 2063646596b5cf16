import { expect, test } from "vitest";
import { benchmarks, parseCommandLine } from "../../bench/command-line.ts";
import type { Measurements } from "../../bench/results.ts";
import { targetRows, targetsTable } from "../../bench/targets.ts";

const at = (value: number) => ({ median: value, least: value / 2, most: value * 2 });

test("a target is met at its bound and missed beyond, on either side; nothing measured is neither", () => {
  const met = (results: Measurements, figure: string) =>
    targetRows(results).find((row) => row.figure.startsWith(figure))!.isMet;
  const workers = (ratio: number) =>
    ({ workers: { DeleteSession: { ratio: at(ratio) } } }) as unknown as Measurements;
  const memory = (ratio: number) => ({ memory: { ratio: at(ratio) } }) as unknown as Measurements;
  expect(met(workers(1.4), "two workers")).toBe(true);
  expect(met(workers(1.39), "two workers")).toBe(false);
  expect(met(memory(1.1), "resident memory")).toBe(true);
  expect(met(memory(1.11), "resident memory")).toBe(false);
  expect(met({}, "resident memory")).toBeUndefined();
});

test("the table has every target, and says of those that were not measured that they were not run", () => {
  const rows = targetRows({ workers: { DeleteSession: { ratio: at(1.5) } } } as unknown as Measurements);
  const lines = targetsTable(rows);
  expect(lines).toHaveLength(rows.length + 2);
  expect(lines.filter((line) => line.includes("not run"))).toHaveLength(rows.length - 1);
  expect(lines).toContain("| two workers ÷ one, DeleteSession | ≥ 1.4 | **1.50** (0.75–3.00) | yes |");
});

test("all benchmarks are run unless some are named; one alone runs longest", () => {
  expect(parseCommandLine([]).chosen).toEqual(benchmarks);
  expect(parseCommandLine(["growth"]).chosen).toEqual(["growth"]);
  const rounds = (args: string[]) => parseCommandLine(args).plan.append.rounds;
  expect(rounds(["append"])).toBeGreaterThan(rounds([]));
  expect(rounds([])).toBeGreaterThanOrEqual(5);
  expect(parseCommandLine(["--sessions", "20000"]).plan).toMatchObject({
    ...{ list: { sessions: 20_000 }, endings: { sessions: 20_000 }, growth: { sessions: [10_000, 20_000] } },
  });
  expect(() => parseCommandLine(["growht"])).toThrow('there is no benchmark "growht"');
  expect(() => parseCommandLine(["--sessions", "12"])).toThrow("no number of sessions");
});
