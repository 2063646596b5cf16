import fc from "fast-check";
import { expect, test } from "vitest";
import { type Clock, closedLoop, openLoop } from "../../bench/loops.ts";
import { percentile } from "../../bench/statistics.ts";

/** Time passes only while everybody waits, and then at once: to the next moment somebody waits for. */
function simulatedClock(): Clock {
  let time = 0;
  const waiting: { until: number; wake: () => void }[] = [];
  const advance = () => {
    if (waiting.length === 0) return;
    waiting.sort((a, b) => a.until - b.until);
    const { until, wake } = waiting.shift()!;
    time = Math.max(time, until);
    wake();
  };
  return {
    now: () => time,
    sleep: (ms) =>
      new Promise<void>((resolve) => {
        waiting.push({ until: time + ms, wake: resolve });
        setImmediate(advance);
      }),
  };
}

/** A server that needs a millisecond for a request, and between two moments does nothing at all. */
const pausingServer = (clock: Clock, from: number, to: number) => () => {
  const start = clock.now() >= from && clock.now() < to ? to : clock.now();
  return clock.sleep(start + 1 - clock.now());
};

test("a pause is felt by all who were due in it, where a closed loop hears of it once a caller", async () => {
  const seconds = 10;
  const clocks = [simulatedClock(), simulatedClock()] as const;
  const open = await openLoop(
    { callers: 4, seconds, perSecond: 100 },
    pausingServer(clocks[0], 2_000, 4_000),
    clocks[0],
  );
  const closed = await closedLoop({ callers: 4, seconds }, pausingServer(clocks[1], 2_000, 4_000), clocks[1]);

  expect(open.latencies).toHaveLength(1_000);
  // Of a thousand requests two hundred were due in the pause, which ends for the first one after two seconds.
  expect(open.latencies.filter((latency) => latency > 1).length).toBeGreaterThanOrEqual(200);
  expect(Math.max(...open.latencies)).toBeCloseTo(2_001, 0);
  expect(percentile(open.latencies, 0.9)).toBeGreaterThan(900);
  expect(closed.latencies.filter((latency) => latency > 1)).toHaveLength(4);
  expect(percentile(closed.latencies, 0.99)).toBe(1);
});

test("a server that keeps up is asked at the rate, and its own time is all that is measured", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        perSecond: fc.integer({ min: 1, max: 200 }),
        callers: fc.integer({ min: 1, max: 8 }),
        serviceMs: fc.integer({ min: 0, max: 4 }),
      }),
      async ({ perSecond, callers, serviceMs }) => {
        fc.pre(perSecond * serviceMs < callers * 1_000);
        const clock = simulatedClock();
        const sentAt: number[] = [];
        const { latencies } = await openLoop(
          { callers, seconds: 2, perSecond },
          () => {
            sentAt.push(clock.now());
            return clock.sleep(serviceMs);
          },
          clock,
        );
        expect(sentAt).toHaveLength(2 * perSecond);
        sentAt.forEach((at, index) => {
          expect(at).toBeCloseTo((index * 1_000) / perSecond, 6);
        });
        for (const latency of latencies) expect(latency).toBeCloseTo(serviceMs, 6);
      },
    ),
    { numRuns: 20 },
  );
});

test("both end when there is nothing left to send", async () => {
  for (const loop of [closedLoop, openLoop]) {
    const clock = simulatedClock();
    let left = 5;
    const send = () => (left-- > 0 ? clock.sleep(1) : undefined);
    const { latencies } = await loop({ callers: 3, seconds: Infinity, perSecond: 1_000 }, send, clock);
    expect(latencies).toHaveLength(5);
  }
});

test("a failed request ends the loop with its error", async () => {
  const failing = async () => {
    throw new Error("no answer");
  };
  await expect(closedLoop({ callers: 2, seconds: 1 }, failing)).rejects.toThrow("no answer");
  await expect(openLoop({ callers: 2, seconds: 1, perSecond: 10 }, failing)).rejects.toThrow("no answer");
});
