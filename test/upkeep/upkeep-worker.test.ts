import { setTimeout as wait } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { DomainError } from "../../src/errors.ts";
import { type StepResult, type UpkeepTask, UpkeepWorker } from "../../src/upkeep/upkeep-worker.ts";
import { until, within } from "../crash/poll.ts";

const HOUR_MS = 3_600_000;

/** A worker, what it logs, and how often each task was run. */
function workerOf(steps: Record<string, () => StepResult | Promise<StepResult>>, everyMs = HOUR_MS) {
  const lines: { msg: string; task?: string }[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const runs: Record<string, number> = {};
  const tasks = Object.entries(steps).map(([name, step]): UpkeepTask => {
    runs[name] = 0;
    const run = async () => {
      runs[name]! += 1;
      return step();
    };
    return { name, everyMs, run };
  });
  const worker = new UpkeepWorker(tasks, { logger });
  started.push(worker);
  return { worker, runs, lines };
}

const started: UpkeepWorker[] = [];
const nothing = (): StepResult => ({ done: 0, left: "nothing" });
const fail = (error: Error) => (): never => {
  throw error;
};

afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.stop()));
});

describe("the background's worker", () => {
  it("does a task again at once while there is more, then only when it is woken", async () => {
    let left = 3;
    const { worker, runs } = workerOf({
      work: () => ({ done: 1, left: --left > 0 ? "more" : "nothing" }),
    });
    worker.start();
    await until("three steps", () => runs.work === 3);
    await wait(30);
    expect(runs.work).toBe(3);
    left = 1;
    worker.wake("work");
    await until("a fourth", () => runs.work === 4);
  });

  it("runs a step again if it is woken during that step", async () => {
    const gate = Promise.withResolvers<void>();
    const { worker, runs } = workerOf({ work: () => gate.promise.then(nothing) });
    worker.start();
    await until("the step", () => runs.work === 1);
    worker.wake("work");
    gate.resolve();
    await until("another one", () => runs.work === 2);
  });

  it("waits for the step under way when it is stopped, and for nothing else", async () => {
    const gate = Promise.withResolvers<void>();
    const { worker, runs } = workerOf({ first: nothing, work: () => gate.promise.then(nothing) });
    worker.start();
    await until("the step", () => runs.work === 1);
    let hasStopped = false;
    const stopped = worker.stop().then(() => {
      hasStopped = true;
    });
    await wait(20);
    expect(hasStopped).toBe(false);
    gate.resolve();
    await within("the stop", 1_000, stopped);
    expect(runs).toEqual({ first: 1, work: 1 });
  });

  it("stops in the middle of a round", async () => {
    const gate = Promise.withResolvers<void>();
    const more = (): StepResult => ({ done: 1, left: "more" });
    const { worker, runs } = workerOf({ work: () => gate.promise.then(more), next: more });
    worker.start();
    await until("the step", () => runs.work === 1);
    const stopped = worker.stop();
    gate.resolve();
    await within("the stop", 1_000, stopped);
    expect(runs.next).toBe(0);
  });

  it("never asks for a time that is over", async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on("warning", onWarning);
    const { worker, runs } = workerOf({ work: () => ({ done: 1, left: "more" }) }, 0);
    worker.start();
    await until("a thousand steps", () => runs.work! > 1_000);
    await worker.stop();
    await wait(1);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("tries what failed again, tells it once, and does everything else meanwhile", async () => {
    let fails = true;
    const { worker, runs, lines } = workerOf(
      {
        sick: () => (fails ? fail(new Error("out of order"))() : nothing()),
        sound: nothing,
      },
      1,
    );
    worker.start();
    await until("two tries", () => runs.sick === 2);
    expect(runs.sound).toBeGreaterThan(100);
    expect(lines).toMatchObject([{ msg: "upkeep failed, will be tried again", task: "sick" }]);
    fails = false;
    await until("it to go well", () => runs.sick! > 4);
    fails = true;
    const before = runs.sick!;
    await until("another failure", () => runs.sick! > before + 1);
    expect(lines).toHaveLength(1);
  });

  it("tells once that the database is away, however many tasks miss it, and once that it is back", async () => {
    let isAway = true;
    const ask = () => (isAway ? fail(new DomainError("storage.unavailable"))() : nothing());
    const { worker, runs, lines } = workerOf({ one: ask, other: ask, third: ask }, 1);
    worker.start();
    await until("two tries each", () => Object.values(runs).every((count) => count >= 2));
    expect(lines.map(({ msg }) => msg)).toEqual(["upkeep failed, will be tried again"]);
    isAway = false;
    await until("all to go on", () => Object.values(runs).every((count) => count >= 10));
    expect(lines.slice(1).map(({ msg }) => msg)).toEqual(["upkeep goes on"]);
    isAway = true;
    await until("the next spell", () => lines.length === 3);
  });

  it("does not hurry with what has just failed", async () => {
    const { worker, runs } = workerOf({ sick: fail(new Error("out of order")) });
    worker.start();
    await until("a try", () => runs.sick === 1);
    for (let times = 0; times < 20; times++) {
      worker.wake("sick");
      await wait(5);
    }
    expect(runs.sick).toBe(1);
  });
});

describe("running to the end", () => {
  it("goes on until no task has anything left, also where one makes work for one before it", async () => {
    let [first, second] = [2, 0];
    const { worker } = workerOf({
      second: () => {
        const done = Math.min(second, 1);
        second -= done;
        return { done, left: second > 0 ? "more" : "nothing" };
      },
      first: () => {
        const done = Math.min(first, 1);
        first -= done;
        second += 3 * done;
        return { done, left: first > 0 ? "more" : "nothing" };
      },
    });
    expect(await worker.runToEnd()).toEqual({
      second: { done: 6, held: false },
      first: { done: 2, held: false },
    });
  });

  it("waits for what others hold", async () => {
    let looks = 0;
    const { worker } = workerOf({
      work: () => {
        looks += 1;
        return looks < 3 ? { done: 0, left: "held" } : { done: looks === 3 ? 5 : 0, left: "nothing" };
      },
    });
    expect(await worker.runToEnd()).toEqual({ work: { done: 5, held: false } });
  });

  it("ends, and says so, when what others hold never becomes free", async () => {
    const { worker } = workerOf({ stuck: () => ({ done: 0, left: "held" }), work: nothing });
    expect(await worker.runToEnd({ patienceMs: 50 })).toEqual({
      stuck: { done: 0, held: true },
      work: { done: 0, held: false },
    });
  });

  it("fails with what a step fails with", async () => {
    const { worker } = workerOf({ sick: fail(new Error("out of order")) });
    await expect(worker.runToEnd()).rejects.toThrow("out of order");
  });
});
