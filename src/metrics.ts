/** What one number is told apart by: `{ kind: "PasswordReset", outcome: "sent" }`. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export type Counter = { add(labels?: Labels, count?: number): void };

/** A number as it is when somebody looks. */
export type Reading = { labels?: Labels; value: number };

type Metric = { name: string; help: string; type: "counter" | "gauge"; read(): Promise<Reading[]> };

/** What the server counts, and how it says so: Prometheus text exposition format, version 0.0.4. */
export class Metrics {
  readonly #metrics: Metric[] = [];

  /** @param name ends in `_total` */
  counter(name: string, help: string): Counter {
    const counts = new Map<string, { labels: Labels; value: number }>();
    this.#metrics.push({ name, help, type: "counter", read: async () => [...counts.values()] });
    return {
      add: (labels = {}, added = 1) => {
        const key = JSON.stringify(labels);
        const count = counts.get(key) ?? { labels, value: 0 };
        count.value += added;
        counts.set(key, count);
      },
    };
  }

  /** @param read asked at every look; if it fails, the metric is left out of that look */
  gauge(name: string, help: string, read: () => Promise<Reading[]>): void {
    this.#metrics.push({ name, help, type: "gauge", read });
  }

  /** The whole text, `text/plain; version=0.0.4`. */
  async text(): Promise<string> {
    const parts = await Promise.all(
      this.#metrics.map(async ({ name, help, type, read }) => {
        const readings = await read().catch(() => undefined);
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
