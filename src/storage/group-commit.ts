import { Lanes, LEAST_BESIDE } from "./lanes.ts";

type Queued<U, R> = {
  unit: U;
  keys: readonly string[];
  guards: readonly string[];
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
};

/** What became of one unit of a batch; one unit's fault never becomes its neighbour's. */
export type Outcome<R> = { ok: true; value: R } | { ok: false; error: unknown };

/**
 * Group commit: units that arrive while every write lane is busy go together into the next write.
 *
 * An idle server writes at once; {@link Lanes} says when a batch is sent beside another. Two units that change the same
 * aggregate never share a batch (a statement changes a row once), the later one waits for the next; nor does one that
 * changes it with one that guards it, which would not see the change. Any number may guard it together.
 */
export class GroupCommit<U, R> {
  readonly #write: (units: U[]) => Promise<Outcome<R>[]>;
  readonly #keysOf: (unit: U) => readonly string[];
  readonly #guardsOf: (unit: U) => readonly string[];
  readonly #lanes: Lanes;
  readonly #maxBatch: number;
  #queue: Queued<U, R>[] = [];
  #scheduled = false;

  /**
   * @param write stores the units, each all or nothing, and answers in their order; rejects if nobody knows of any
   *   unit that it was stored
   * @param keysOf the aggregates a unit changes
   * @param options.guardsOf those it only guards
   */
  constructor(
    write: (units: U[]) => Promise<Outcome<R>[]>,
    keysOf: (unit: U) => readonly string[],
    {
      lanes = 1,
      maxBatch = 128,
      guardsOf = () => [],
    }: { lanes?: number; maxBatch?: number; guardsOf?: (unit: U) => readonly string[] } = {},
  ) {
    this.#write = write;
    this.#keysOf = keysOf;
    this.#guardsOf = guardsOf;
    this.#lanes = new Lanes(lanes, () => this.#schedule());
    this.#maxBatch = maxBatch;
  }

  commit(unit: U): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ unit, keys: this.#keysOf(unit), guards: this.#guardsOf(unit), resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#lanes.free === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#lanes.mayRun(this.#queue.length)) {
        const share = Math.ceil(this.#queue.length / this.#lanes.free);
        void this.#run(this.#takeBatch(Math.min(Math.max(share, LEAST_BESIDE), this.#maxBatch)));
      }
    });
  }

  #takeBatch(size: number): Queued<U, R>[] {
    const batch: Queued<U, R>[] = [];
    const later: Queued<U, R>[] = [];
    const [taken, guarded] = [new Set<string>(), new Set<string>()];
    for (const queued of this.#queue) {
      const fits =
        batch.length < size &&
        !queued.keys.some((key) => taken.has(key) || guarded.has(key)) &&
        !queued.guards.some((key) => taken.has(key));
      (fits ? batch : later).push(queued);
      // Also the keys of a unit that waits: a third unit must not overtake it.
      for (const key of queued.keys) taken.add(key);
      for (const key of queued.guards) guarded.add(key);
    }
    this.#queue = later;
    return batch;
  }

  async #run(batch: Queued<U, R>[]): Promise<void> {
    await this.#lanes.run(async () => {
      try {
        const outcomes = await this.#write(batch.map(({ unit }) => unit));
        batch.forEach(({ resolve, reject }, index) => {
          const outcome = outcomes[index]!;
          if (outcome.ok) resolve(outcome.value);
          else reject(outcome.error);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    });
    if (this.#queue.length > 0) this.#schedule();
  }
}
