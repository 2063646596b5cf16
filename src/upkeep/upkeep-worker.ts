import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { DomainError, type ErrorSlug } from "../errors.ts";

/** How a step went. `held`: there is work left, but others have it locked, or it waits for another task. */
export type StepResult = { done: number; left: "nothing" | "more" | "held" };

/** One thing the background does, in small steps. */
export type UpkeepTask = {
  name: string;
  /** How long to wait before looking again, once nothing is left that could be done. */
  everyMs: number;
  /** How long to wait between two steps at least, where there is no hurry. */
  paceMs?: number;
  /** One bounded step; all of it or nothing. */
  run(): Promise<StepResult>;
};

/** What came of running a task to the end; `held`: what others had locked all the time is left. */
export type TaskTotal = { done: number; held: boolean };

/** A step that failed is tried again after this long, then after twice as long, and so on to the longest. */
const RETRY_MS = { first: 1_000, longest: 60_000 };

/** The same trouble is told again only after so long without it. */
const SPELL_MS = 600_000;

const DATABASE_AWAY: ErrorSlug = "storage.unavailable";

/** How often to look whether what others have locked is free, and how long to go without any progress. */
const HELD_MS = { again: 100, patience: 30_000 };

/**
 * Does what can wait: writes endings down, sweeps, archives, folds. Any number of servers run one each; none leads.
 *
 * Tasks take turns step by step, and after a round with work left the worker rests as long as the round took, so that it
 * never has more than half of what there is.
 */
export class UpkeepWorker {
  readonly #tasks: readonly UpkeepTask[];
  readonly #logger: Logger;
  readonly #dueAt = new Map<string, number>();
  readonly #failing = new Map<string, { tries: number; retryAt: number }>();
  /** What went wrong, and when it last did. */
  readonly #troubles = new Map<string, number>();
  #rest = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #stopped = true;

  constructor(tasks: readonly UpkeepTask[], { logger }: { logger: Logger }) {
    this.#tasks = tasks;
    this.#logger = logger;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#running = this.#run();
  }

  /** There may be something to do for a task. One that has just failed is not tried any sooner. */
  wake(name: string): void {
    this.#dueAt.set(name, 0);
    this.#rest.resolve();
  }

  /** Begins no step any more, and waits for the one under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#rest.resolve();
    await this.#running;
  }

  /**
   * Runs every task until nothing is left to do, instead of {@link start}. What others have locked is waited for as long
   * as anything moves.
   * @param onStep hears of every step
   * @throws whatever a step fails with
   */
  async runToEnd({
    patienceMs = HELD_MS.patience,
    onStep = () => {},
  }: {
    patienceMs?: number;
    onStep?: (task: string, done: number) => void;
  } = {}): Promise<Record<string, TaskTotal>> {
    const totals = Object.fromEntries(this.#tasks.map(({ name }) => [name, { done: 0, held: true }]));
    for (let movedAt = performance.now(); ; await wait(HELD_MS.again)) {
      let hasMoved = false;
      for (const { name, run } of this.#tasks) {
        const total = totals[name]!;
        for (let left = "more"; left === "more"; ) {
          const step = await run();
          onStep(name, step.done);
          total.done += step.done;
          left = step.left;
          total.held = left === "held";
          hasMoved ||= step.done > 0;
        }
      }
      if (hasMoved) movedAt = performance.now();
      const isHeld = Object.values(totals).some(({ held }) => held);
      // What one task has done can be another's work.
      if (!hasMoved && (!isHeld || performance.now() - movedAt > patienceMs)) return totals;
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      let more = false;
      for (const task of this.#tasks) {
        if (this.#stopped) return;
        if (this.#dueOf(task) > performance.now()) continue;
        // Before the step: whoever wakes the task during it wants another one.
        this.#dueAt.set(task.name, performance.now() + task.everyMs);
        if ((await this.#step(task)) === "more") {
          this.#dueAt.set(task.name, performance.now() + (task.paceMs ?? 0));
          more = true;
        }
      }
      const now = performance.now();
      const next = Math.min(...this.#tasks.map((task) => this.#dueOf(task)));
      await this.#sleepUntil(more ? now + (now - began) : next, { isRest: more });
    }
  }

  #dueOf({ name }: UpkeepTask): number {
    return Math.max(this.#dueAt.get(name) ?? 0, this.#failing.get(name)?.retryAt ?? 0);
  }

  async #step(task: UpkeepTask): Promise<StepResult["left"]> {
    try {
      const { left } = await task.run();
      this.#failing.delete(task.name);
      if (this.#troubles.delete(DATABASE_AWAY)) this.#logger.info("upkeep goes on");
      return left;
    } catch (error) {
      const tries = (this.#failing.get(task.name)?.tries ?? 0) + 1;
      const waitMs = Math.min(RETRY_MS.first * 2 ** (tries - 1), RETRY_MS.longest);
      this.#failing.set(task.name, { tries, retryAt: performance.now() + waitMs });
      this.#tell(task, error);
      return "held";
    }
  }

  /** One line for each trouble, however long it lasts and however many tasks have it. */
  #tell({ name }: UpkeepTask, error: unknown): void {
    const what = error instanceof DomainError ? error.slug : String(error);
    const now = performance.now();
    if (now - (this.#troubles.get(what) ?? Number.NEGATIVE_INFINITY) > SPELL_MS)
      this.#logger.warn({ err: error, task: name }, "upkeep failed, will be tried again");
    this.#troubles.set(what, now);
  }

  /** @param options.isRest not cut short by waking, only by stopping */
  async #sleepUntil(until: number, { isRest }: { isRest: boolean }): Promise<void> {
    while (!this.#stopped && performance.now() < until) {
      this.#rest = Promise.withResolvers<void>();
      const timer = setTimeout(this.#rest.resolve, Math.max(0, until - performance.now()));
      await this.#rest.promise;
      clearTimeout(timer);
      if (!isRest) return;
    }
  }
}
