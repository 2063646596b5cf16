/** What one number is told apart by: `{ kind: "PasswordReset", outcome: "sent" }`. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export type Counter = { add(labels?: Labels, count?: number): void };

/** A number as it is when somebody looks. */
export type Reading = { labels?: Labels; value: number };

type Metric = {
  name: string;
  help: string;
  type: "counter" | "gauge";
  read(totals: Counts): Promise<readonly Reading[]>;
};

/** What counters stand at, by their names; fit for structured cloning. */
export type Counts = Readonly<Record<string, readonly Reading[]>>;

/** The other processes that serve behind the same port. */
export type MetricsGroup = {
  /** @returns what all of them have counted, this one included */
  totals(own: Counts): Promise<Counts>;
  /** Hears that a counter has moved. */
  onCount(): void;
};

const alone: MetricsGroup = { totals: async (own) => own, onCount: () => {} };

/** What the server counts, and how it says so: Prometheus text exposition format, version 0.0.4. */
export class Metrics {
  readonly #metrics: Metric[] = [];
  readonly #counts = new Map<string, Map<string, Reading>>();
  readonly #group: MetricsGroup;

  constructor(group: MetricsGroup = alone) {
    this.#group = group;
  }

  /** @param name ends in `_total` */
  counter(name: string, help: string): Counter {
    const counts = new Map<string, Reading>();
    this.#counts.set(name, counts);
    this.#metrics.push({ name, help, type: "counter", read: async (totals) => totals[name] ?? [] });
    return {
      add: (labels = {}, added = 1) => {
        const key = JSON.stringify(labels);
        const count = counts.get(key) ?? { labels, value: 0 };
        count.value += added;
        counts.set(key, count);
        this.#group.onCount();
      },
    };
  }

  /** What this process has counted so far. */
  counts(): Counts {
    return Object.fromEntries(
      [...this.#counts].map(([name, counts]) => [name, [...counts.values()].map((count) => ({ ...count }))]),
    );
  }

  /**
   * @param read asked at every look, in the process that is looked at, for a number that is the same in all of them; if
   *   it fails, the metric is left out of that look
   */
  gauge(name: string, help: string, read: () => Promise<Reading[]>): void {
    this.#metrics.push({ name, help, type: "gauge", read });
  }

  /** The whole text, `text/plain; version=0.0.4`. */
  async text(): Promise<string> {
    const totals = await this.#group.totals(this.counts());
    const parts = await Promise.all(
      this.#metrics.map(async ({ name, help, type, read }) => {
        const readings = await read(totals).catch(() => undefined);
        if (readings === undefined) return "";
        const lines = readings.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}\n`);
        return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
      }),
    );
    return parts.join("");
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
