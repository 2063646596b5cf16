import type { PendingNotification } from "../storage/notification-repository.ts";
import { retryAfterMs } from "./backoff.ts";
import { type AttemptTiming, attemptDelivery, type DeliveryDependencies } from "./delivery-attempt.ts";

/** How hard the worker tries. */
export type DeliveryTiming = AttemptTiming & {
  /** Messages under way at once. */
  parallel: number;
  /** How long to go without looking, when there is nothing to do: at first, and at most. */
  pollMs: { least: number; most: number };
};

/**
 * No attempt takes as long as its lease (see the timeouts in `notify/`: 25 seconds at most), and a server that died over
 * a message does not keep it for long: a code may live no more than five minutes.
 */
export const deliveryTiming: DeliveryTiming = {
  leaseMs: 30_000,
  retryAfterMs,
  parallel: 8,
  pollMs: { least: 1_000, most: 15_000 },
};

/**
 * Sends what is due, until it is stopped. Any number of servers run one each.
 *
 * It is woken by every message this server stores, and looks by itself for those other servers left behind, seldom
 * while there are none.
 */
export class DeliveryWorker {
  readonly #dependencies: DeliveryDependencies;
  readonly #timing: DeliveryTiming;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #alone: boolean;
  #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #stopped = true;
  #startedAt = new Date();

  /** @param options.alone no other server is on this database: who tried a message before this one started is dead */
  constructor(
    dependencies: DeliveryDependencies,
    { alone = false, timing = {} }: { alone?: boolean; timing?: Partial<DeliveryTiming> } = {},
  ) {
    this.#dependencies = dependencies;
    this.#timing = { ...deliveryTiming, ...timing };
    this.#alone = alone;
    this.#pollMs = this.#timing.pollMs.least;
  }

  start(): void {
    this.#stopped = false;
    this.#startedAt = new Date();
    this.wake();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#lookAgain) {
        this.#lookAgain = false;
        this.wake();
      }
    });
  }

  /** Begins nothing any more, and waits for what is under way, so long. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, graceMs);
    await Promise.race([Promise.all(this.#underWay.values()), late.promise]);
    clearTimeout(timer);
  }

  async #look(): Promise<void> {
    const free = this.#timing.parallel - this.#underWay.size;
    // Whoever finishes looks again.
    if (free <= 0) return;
    try {
      // One more than can be begun: when its turn comes is when to look next.
      const pending = await this.#dependencies.notifications.next(this.#timing.parallel + 1);
      const waiting = pending.filter(({ id }) => !this.#underWay.has(id));
      const due = waiting.filter((notification) => this.#isDue(notification)).slice(0, free);
      if (this.#stopped) return;
      for (const notification of due) this.#begin(notification);
      this.#pollMs =
        due.length > 0 ? this.#timing.pollMs.least : Math.min(this.#pollMs * 2, this.#timing.pollMs.most);
      const next = waiting.find((notification) => !due.includes(notification));
      // More that is due than can be begun waits for somebody to finish.
      this.#sleep(
        next === undefined || next.dueInMs <= 0 ? this.#pollMs : Math.min(next.dueInMs, this.#pollMs),
      );
    } catch (error) {
      this.#dependencies.logger.warn({ err: error }, "notifications cannot be read");
      this.#sleep(this.#timing.pollMs.most);
    }
  }

  #isDue({ dueInMs, changedAt }: PendingNotification): boolean {
    return dueInMs <= 0 || (this.#alone && changedAt < this.#startedAt);
  }

  #begin(notification: PendingNotification): void {
    const { id } = notification;
    const attempt = attemptDelivery(this.#dependencies, notification, this.#timing).then(
      () => this.#finish(id, 0),
      (error) => {
        this.#dependencies.logger.error({ err: error, notificationId: id }, "notification fault");
        // Whatever is wrong with it would be wrong again at once.
        this.#finish(id, this.#timing.pollMs.least);
      },
    );
    this.#underWay.set(id, attempt);
  }

  #finish(id: string, restMs: number): void {
    this.#underWay.delete(id);
    if (restMs === 0) this.wake();
    else this.#sleep(restMs);
  }

  #sleep(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), ms);
    this.#timer.unref();
  }
}
