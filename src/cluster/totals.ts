import type { Counts, Reading } from "../metrics.ts";

/** What was counted in several processes, those that have ended included: a total never falls. */
export class CountTotals<Source> {
  #ended: Counts = {};
  readonly #running = new Map<Source, Counts>();

  /** What a process has counted so far. */
  report(source: Source, counts: Counts): void {
    this.#running.set(source, counts);
  }

  /** The process counts no more. */
  end(source: Source): void {
    this.#ended = sum([this.#ended, this.#running.get(source) ?? {}]);
    this.#running.delete(source);
  }

  sum(): Counts {
    return sum([this.#ended, ...this.#running.values()]);
  }
}

function sum(all: readonly Counts[]): Counts {
  const names = new Set(all.flatMap((counts) => Object.keys(counts)));
  return Object.fromEntries(
    [...names].map((name) => [name, summed(all.flatMap((counts) => counts[name] ?? []))]),
  );
}

function summed(readings: readonly Reading[]): Reading[] {
  const byLabels = new Map<string, Reading>();
  for (const { labels = {}, value } of readings) {
    const key = JSON.stringify(Object.entries(labels).sort());
    byLabels.set(key, { labels, value: (byLabels.get(key)?.value ?? 0) + value });
  }
  return [...byLabels.values()];
}
