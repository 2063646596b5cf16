import type { Logger } from "pino";

/** One thing the background does, in small steps. */
export type UpkeepTask = {
  name: string;
  /** How long to wait before looking again, once there is nothing to do. */
  everyMs: number;
  /** One bounded step. `more`: there is work left; `done`: how much was done. */
  run(): Promise<{ more: boolean; done: number }>;
};

/** A step that failed is tried again after this long at least; the database may be away. */
const RETRY_MS = 1_000;

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

  /** There may be something to do for a task. */
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

  /** Runs every task, or these, until nothing is left to do. @returns how much each has done */
  async runToEnd(names?: readonly string[]): Promise<Record<string, number>> {
    const totals: Record<string, number> = {};
    for (const task of this.#tasks.filter(({ name }) => names?.includes(name) ?? true)) {
      totals[task.name] = 0;
      for (let more = true; more; ) {
        const step = await task.run();
        totals[task.name]! += step.done;
        more = step.more;
      }
    }
    return totals;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      let more = false;
      for (const task of this.#tasks) {
        if (this.#stopped) return;
        if ((this.#dueAt.get(task.name) ?? 0) > performance.now()) continue;
        // Before the step: whoever wakes the task during it wants another one.
        this.#dueAt.set(task.name, performance.now() + task.everyMs);
        if (await this.#step(task)) {
          this.#dueAt.set(task.name, 0);
          more = true;
        }
      }
      const now = performance.now();
      const next = Math.min(...this.#tasks.map(({ name }) => this.#dueAt.get(name)!));
      await this.#sleep(more ? now - began : Math.max(0, next - now), more);
    }
  }

  async #step(task: UpkeepTask): Promise<boolean> {
    try {
      return (await task.run()).more;
    } catch (error) {
      this.#logger.warn({ err: error, task: task.name }, "upkeep failed, will be tried again");
      this.#dueAt.set(task.name, performance.now() + Math.max(RETRY_MS, task.everyMs));
      return false;
    }
  }

  /** @param isRest not cut short by waking, only by stopping */
  async #sleep(ms: number, isRest: boolean): Promise<void> {
    const until = performance.now() + ms;
    do {
      this.#rest = Promise.withResolvers<void>();
      const timer = setTimeout(this.#rest.resolve, until - performance.now());
      await this.#rest.promise;
      clearTimeout(timer);
    } while (isRest && !this.#stopped && performance.now() < until);
  }
}
