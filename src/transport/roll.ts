/**
 * Who is here, of many that come and go.
 *
 * A `Set` does the same and costs the garbage collector dearly. Each time it makes room, V8 links the table it had to
 * the one that takes its place, both with everybody in it. Once such a table is among the old objects, every collection
 * of young ones finds all that were here since, and copies them.
 */
export class Roll<T extends object> implements Iterable<T> {
  readonly #places: (T | undefined)[] = [];
  readonly #free: number[] = [];

  /** @returns what takes the item off again, once */
  add(item: T): () => void {
    const place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = item;
    return () => {
      this.#places[place] = undefined;
      this.#free.push(place);
    };
  }

  /** Those who are here now, in no particular order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#places.filter((item) => item !== undefined).values();
  }
}
