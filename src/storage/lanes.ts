export type LanesOptions = {
  /** Batches under way at once, at most. */
  count: number;
  /** So many must wait before a batch is sent beside one that is making progress: small batches cost more than is gained. */
  leastBeside: number;
  /** Called when a batch turns out to be held up: others may go now. */
  onHeldUp: () => void;
};

/** Ten times what a batch takes on an idle machine, and less than a person notices. */
const HELD_UP_AFTER_MS = 10;

/**
 * Which batches may be under way beside each other. One at a time is cheapest, since whatever comes meanwhile goes
 * together; but a batch may be held up, by a row somebody else has locked or by a disk, and then the rest goes past it
 * (docs/decisions/0016-how-the-log-writes.md). Nothing ever waits for the clock while a lane could take it.
 */
export class Lanes {
  readonly #count: number;
  readonly #leastBeside: number;
  readonly #onHeldUp: () => void;
  #busy = 0;
  #heldUp = 0;

  constructor({ count, leastBeside, onHeldUp }: LanesOptions) {
    this.#count = count;
    this.#leastBeside = leastBeside;
    this.#onHeldUp = onHeldUp;
  }

  get free(): number {
    return this.#count - this.#busy;
  }

  /** Whether a batch of those that wait may be sent now. */
  mayRun(waiting: number): boolean {
    if (waiting === 0 || this.free === 0) return false;
    return this.#busy === this.#heldUp || waiting >= this.#leastBeside;
  }

  /** Takes a lane for as long as the work takes. */
  async run(work: () => Promise<void>): Promise<void> {
    let isHeldUp = false;
    const timer = setTimeout(() => {
      isHeldUp = true;
      this.#heldUp += 1;
      this.#onHeldUp();
    }, HELD_UP_AFTER_MS);
    this.#busy += 1;
    try {
      await work();
    } finally {
      clearTimeout(timer);
      this.#busy -= 1;
      if (isHeldUp) this.#heldUp -= 1;
    }
  }
}
