import fc from "fast-check";
import { expect, test } from "vitest";
import { CountTotals } from "../../src/cluster/totals.ts";
import type { Counts } from "../../src/metrics.ts";
import { Metrics } from "../../src/metrics.ts";

const names = ["sent_total", "ended_total"] as const;
const labels = [{}, { kind: "a", outcome: "sent" }, { kind: "b", outcome: "sent" }] as const;

const step = fc.record({
  worker: fc.nat({ max: 2 }),
  act: fc.oneof(
    fc.record({
      name: fc.constantFrom(...names),
      labels: fc.constantFrom(...labels),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    fc.constantFrom("report" as const, "end" as const),
  ),
});

const flat = (counts: Counts): Map<string, number> =>
  new Map(
    Object.entries(counts).flatMap(([name, readings]) =>
      readings.map((reading) => [`${name} ${JSON.stringify(reading.labels)}`, reading.value] as const),
    ),
  );

test("totals are the sum of what was reported, of workers that have ended too, and never fall", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const totals = new CountTotals<object>();
      const start = () => {
        const metrics = new Metrics();
        return { metrics, counters: new Map(names.map((name) => [name, metrics.counter(name, "")])) };
      };
      const workers = [start(), start(), start()];
      const expected = new Map<string, number>();
      let before = new Map<string, number>();
      const unreported = workers.map(() => [] as [string, number][]);
      for (const { worker: index, act } of steps) {
        const worker = workers[index]!;
        if (act === "end") {
          totals.end(worker);
          workers[index] = start();
          // What nobody heard of is lost.
          unreported[index] = [];
        } else if (act === "report") {
          totals.report(worker, worker.metrics.counts());
          for (const [key, count] of unreported[index]!) expected.set(key, (expected.get(key) ?? 0) + count);
          unreported[index] = [];
        } else {
          worker.counters.get(act.name)!.add(act.labels, act.count);
          unreported[index]!.push([`${act.name} ${JSON.stringify(act.labels)}`, act.count]);
        }
        const now = flat(totals.sum());
        expect(now).toEqual(expected);
        for (const [key, value] of before) expect(now.get(key)).toBeGreaterThanOrEqual(value);
        before = now;
      }
    }),
  );
});
