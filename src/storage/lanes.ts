/** So many must wait before a batch is sent beside another: small batches cost more than is gained. */
export const LEAST_BESIDE = 32;
/** So many times that if this thread is busy: then it is what everybody waits for, and batches should be large. */
const FACTOR_WHEN_BUSY = 2;
/** Busy is a thread that has less than this share of the time to spare while batches are under way. */
const BUSY_BELOW = 0.4;
/** How much the last batch counts in that. */
const SMOOTHING = 0.05;
/** So long a thread waits for a batch, with nothing else to do, until it counts as held up. */
const HELD_UP_AFTER_MS = 5;

/**
 * Which batches may be under way beside each other. One at a time is cheapest, since whatever comes meanwhile goes
 * together; but the database has processors of its own, and a batch may be held up, by a row somebody else has locked
 * or by a disk. Then the rest goes past it (docs/decisions/0016-how-the-log-writes.md). Nobody ever waits for a clock
 * while no batch is under way.
 */
export class Lanes {
  readonly #count: number;
  readonly #onHeldUp: () => void;
  #taken = 0;
  #heldUp = 0;
  #idleShare = 0;

  /**
   * @param count batches under way at once, at most
   * @param onHeldUp called when one turns out to be held up: others may go now
   */
  constructor(count: number, onHeldUp: () => void) {
    this.#count = count;
    this.#onHeldUp = onHeldUp;
  }

  get free(): number {
    return this.#count - this.#taken;
  }

  /** Whether a batch may be sent now. @param waiting what there is for it */
  mayRun(waiting: number): boolean {
    if (waiting === 0 || this.free === 0) return false;
    const least = this.#idleShare < BUSY_BELOW ? FACTOR_WHEN_BUSY * LEAST_BESIDE : LEAST_BESIDE;
    return this.#taken === this.#heldUp || waiting >= least;
  }

  /** Takes a lane for as long as the work takes. */
  async run(work: () => Promise<void>): Promise<void> {
    const [startedAt, idleBefore] = [performance.now(), idleMs()];
    let isHeldUp = false;
    const timer = setInterval(() => {
      if (idleMs() - idleBefore < HELD_UP_AFTER_MS) return;
      clearInterval(timer);
      isHeldUp = true;
      this.#heldUp += 1;
      this.#onHeldUp();
    }, HELD_UP_AFTER_MS);
    this.#taken += 1;
    try {
      await work();
    } finally {
      clearInterval(timer);
      this.#taken -= 1;
      if (isHeldUp) this.#heldUp -= 1;
      const elapsedMs = performance.now() - startedAt;
      const idleShare = elapsedMs > 0 ? (idleMs() - idleBefore) / elapsedMs : 0;
      this.#idleShare += SMOOTHING * (idleShare - this.#idleShare);
    }
  }
}

/** How long the event loop of this thread has had nothing to do since it began. */
const idleMs = (): number => performance.eventLoopUtilization().idle;
