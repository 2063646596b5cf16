import type { Socket } from "node:net";
import { type Counts, Metrics } from "../metrics.ts";
import type { SharedPort } from "../transport/listener.ts";
import {
  type FromWorker,
  type ServerFacts,
  type Totals,
  type ToWorker,
  WORKERS_ENDED,
  type WorkOrder,
} from "./messages.ts";

/** How late the primary may hear what was counted. What a worker that is killed had counted since is lost. */
const COUNTED_WITHIN_MS = 1_000;

/** A worker's end of the line to its primary. When the primary is gone, node:cluster ends the worker at once. */
export class PrimaryLink {
  readonly metrics: Metrics;
  /** What to serve. */
  readonly order: Promise<WorkOrder>;
  /** Settles when the worker is to end. */
  readonly stopped: Promise<void>;
  readonly #stop = Promise.withResolvers<void>();
  readonly #totals = new Map<number, (totals: Totals) => void>();
  #asked = 0;
  #telling: NodeJS.Timeout | undefined;
  #opened = Promise.withResolvers<number>();
  #take: ((socket: Socket) => void) | undefined;

  constructor() {
    this.metrics = new Metrics({
      totals: async (own) => (await this.#askTotals(own)).counts,
      onCount: () => {
        this.#telling ??= setTimeout(() => void this.#tellCounts(), COUNTED_WITHIN_MS).unref();
      },
    });
    this.metrics.gauge("gatehouse_workers", "Processes of this server that serve.", async () => [
      { value: (await this.#askTotals(this.metrics.counts())).serving },
    ]);
    // Counted by the primary, which has no metrics of its own.
    this.metrics.counter(WORKERS_ENDED, "Processes of this server that ended without being told to.");
    this.stopped = this.#stop.promise;
    this.order = new Promise((resolve) => {
      process.on("message", (message: ToWorker, socket) => this.#hear(message, socket as Socket, resolve));
    });
    void this.#say({ type: "loaded" });
  }

  /** Ends as if the primary had said so. */
  stop(): void {
    this.#stop.resolve();
  }

  sharedPort(ticketKeys: Uint8Array): SharedPort {
    return {
      ticketKeys,
      open: (take) => {
        this.#take = take;
        void this.#say({ type: "open" });
        return this.#opened.promise;
      },
      close: () => {
        this.#take = undefined;
        void this.#say({ type: "leaving" });
      },
    };
  }

  serving(facts: ServerFacts): void {
    void this.#say({ type: "serving", facts });
  }

  /** The last words: what was counted since the last ones. Resolves when they are out. */
  async goodbye(): Promise<void> {
    await this.#tellCounts();
  }

  #hear(message: ToWorker, socket: Socket | undefined, start: (order: WorkOrder) => void): void {
    if (message.type === "start") start(message.order);
    else if (message.type === "opened") this.#opened.resolve(message.port);
    else if (message.type === "not opened") {
      this.#opened.reject(Object.assign(new Error(message.message), message.fields));
    } else if (message.type === "stop") this.stop();
    else if (message.type === "totals") {
      this.#totals.get(message.id)?.(message.totals);
      this.#totals.delete(message.id);
    } else if (socket !== undefined) this.#connected(socket);
  }

  #connected(socket: Socket): void {
    // Not answered, so the primary gives it to another worker; here only this process's handle of it is closed.
    if (this.#take === undefined) return void socket.destroy();
    void this.#say({ type: "taken" });
    socket.once("close", () => void this.#say({ type: "closed" }));
    // As the sockets of the listener's own port.
    socket.allowHalfOpen = true;
    this.#take(socket);
  }

  #askTotals(counts: Counts): Promise<Totals> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve) => {
      this.#totals.set(id, resolve);
      void this.#say({ type: "totals wanted", id, counts });
    });
  }

  async #tellCounts(): Promise<void> {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    await this.#say({ type: "counted", counts: this.metrics.counts() });
  }

  // A primary that cannot be reached is gone, and so will this process be.
  #say(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      process.send!(message, undefined, undefined, () => resolve());
    });
  }
}
