import { Lanes } from "./lanes.ts";

type Waiting<K, V> = { key: K; resolve: (value: V | undefined) => void; reject: (error: unknown) => void };

/**
 * Turns single look-ups that wait at the same time into one query (`id = ANY($1)`).
 *
 * There is no cache: an idle loader asks in the same tick, and a key that comes in while a query is on its way waits
 * for the *next* one ({@link Lanes} says when that may be sent). So an answer never predates the question, which is what
 * makes a read see every acknowledged write.
 */
export class BatchLoader<K, V> {
  readonly #fetch: (keys: K[]) => Promise<Map<K, V>>;
  readonly #lanes: Lanes;
  readonly #maxBatch: number;
  #waiting: Waiting<K, V>[] = [];
  #scheduled = false;

  /**
   * @param fetch one query for distinct keys; a key it does not answer resolves to undefined
   * @param options.lanes queries in flight at once
   * @param options.maxBatch keys per query at most
   */
  constructor(
    fetch: (keys: K[]) => Promise<Map<K, V>>,
    { lanes = 2, maxBatch = 256 }: { lanes?: number; maxBatch?: number } = {},
  ) {
    this.#fetch = fetch;
    this.#lanes = new Lanes(lanes, () => this.#schedule());
    this.#maxBatch = maxBatch;
  }

  /** @throws whatever `fetch` throws, to every caller of that batch */
  load(key: K): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      this.#schedule();
    });
  }

  // A microtask, so that callers of the same tick share a query although nobody waits for a clock.
  #schedule(): void {
    if (this.#scheduled || this.#lanes.free === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#lanes.mayRun(this.#waiting.length)) {
        void this.#run(this.#waiting.splice(0, this.#maxBatch));
      }
    });
  }

  async #run(batch: Waiting<K, V>[]): Promise<void> {
    await this.#lanes.run(async () => {
      try {
        const values = await this.#fetch([...new Set(batch.map(({ key }) => key))]);
        for (const { key, resolve } of batch) resolve(values.get(key));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    });
    if (this.#waiting.length > 0) this.#schedule();
  }
}
