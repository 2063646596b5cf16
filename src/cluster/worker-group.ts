import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { ConnectionSpreader } from "./connection-spreader.ts";
import type { FromWorker, ServerFacts, ToWorker } from "./messages.ts";
import { WORKERS_ENDED } from "./messages.ts";
import { Restarts } from "./restarts.ts";
import { CountTotals } from "./totals.ts";

/** After the time for open requests a worker has this long to close its database; then it is killed. */
const CLOSING_MS = 10_000;

/** A worker could not be started and has told people why. */
export class WorkerFailed extends Error {
  /** That of the worker. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`a worker ended with exit code ${exitCode}`);
    this.name = "WorkerFailed";
    this.exitCode = exitCode;
  }
}

type Standing = {
  /** When it began to serve, by the monotonic clock. */
  servingSinceMs?: number;
};

export type WorkerGroupOptions = {
  /** The server's; its workers share its database connections out. */
  config: Config;
  count: number;
  /** Path of the script that a worker runs. */
  entry: string;
  logger: Logger;
};

/**
 * The primary process: owns the port, starts workers, gives them its connections, sums up what they count, and puts
 * another one in the place of each that ends.
 */
export class WorkerGroup {
  readonly #config: Config;
  readonly #count: number;
  readonly #logger: Logger;
  readonly #ticketKeys = randomBytes(48);
  readonly #workers = new Map<Worker, Standing>();
  readonly #spreader = new ConnectionSpreader();
  readonly #server = createServer({ pauseOnConnect: true }, (socket) => this.#spreader.take(socket));
  readonly #totals = new CountTotals<Worker>();
  readonly #restarts = new Restarts();
  readonly #firstServes = Promise.withResolvers<ServerFacts>();
  readonly #allServe = Promise.withResolvers<void>();
  readonly #givenUp = Promise.withResolvers<WorkerFailed>();
  #port: Promise<number> | undefined;
  #ended = 0;
  #phase: "starting" | "running" | "stopping" = "starting";

  constructor({ config, count, entry, logger }: WorkerGroupOptions) {
    const databasePoolSize = Math.max(1, Math.floor(config.databasePoolSize / count));
    this.#config = { ...config, workers: count, databasePoolSize };
    this.#count = count;
    this.#logger = logger;
    cluster.setupPrimary({ exec: entry, args: [], serialization: "advanced" });
  }

  /** Settles when workers end as soon as they are started, again and again. */
  get givenUp(): Promise<WorkerFailed> {
    return this.#givenUp.promise;
  }

  /**
   * Starts the workers: the first one opens the database alone, so that one migration and one first start are made.
   * Resolves when all serve, to what the first one says.
   * @throws WorkerFailed if one of them ends instead
   */
  async start(): Promise<ServerFacts> {
    for (let started = 0; started < this.#count; started++) this.#fork({ isFirst: started === 0 });
    await this.#allServe.promise;
    this.#phase = "running";
    return this.#firstServes.promise;
  }

  /**
   * Closes the port and has every worker answer what it accepted. Resolves when all have ended.
   * @returns whether all did in good order
   */
  async stop(): Promise<boolean> {
    this.#phase = "stopping";
    this.#server.close();
    this.#spreader.close();
    const left = [...this.#workers.keys()];
    const late = setTimeout(
      () => {
        for (const { process } of left) process.kill("SIGKILL");
      },
      this.#config.shutdownGraceSeconds * 1_000 + CLOSING_MS,
    );
    const exits = left.map((worker) => {
      const exit = new Promise<number>((resolve) => worker.once("exit", resolve));
      tell(worker, { type: "stop" });
      return exit;
    });
    const codes = await Promise.all(exits);
    clearTimeout(late);
    return codes.every((code) => code === 0);
  }

  #fork({ isFirst }: { isFirst: boolean }): void {
    const worker = cluster.fork();
    const standing: Standing = {};
    this.#workers.set(worker, standing);
    worker.on("message", (message: FromWorker) => this.#hear(worker, standing, message, isFirst));
    worker.on("error", (err) => this.#logger.error({ err, worker: worker.process.pid }, "worker trouble"));
    worker.once("exit", async (code: number, signal: string) => {
      this.#workers.delete(worker);
      this.#exited(worker, standing, code, signal);
      await lastWordOf(worker);
      this.#spreader.remove(worker);
      this.#totals.end(worker);
    });
  }

  #hear(worker: Worker, standing: Standing, message: FromWorker, isFirst: boolean): void {
    const { type } = message;
    if (type === "taken") this.#spreader.taken(worker);
    else if (type === "closed") this.#spreader.closed(worker);
    else if (type === "leaving") this.#spreader.remove(worker);
    else if (type === "counted") this.#totals.report(worker, message.counts);
    else if (type === "totals wanted") this.#tellTotals(worker, message);
    else if (type === "loaded") void this.#order(worker, isFirst);
    else if (type === "open") void this.#open(worker);
    else {
      standing.servingSinceMs = performance.now();
      if (isFirst) this.#firstServes.resolve(message.facts);
      if (this.#phase === "running") this.#logger.info({ worker: worker.process.pid }, "worker serves");
      if (this.#serving().length === this.#count) this.#allServe.resolve();
    }
  }

  async #order(worker: Worker, isFirst: boolean): Promise<void> {
    if (!isFirst) await this.#firstServes.promise;
    const order = { config: this.#config, showsProgress: isFirst, ticketKeys: this.#ticketKeys };
    tell(worker, { type: "start", order });
  }

  async #open(worker: Worker): Promise<void> {
    this.#port ??= this.#listen();
    try {
      tell(worker, { type: "opened", port: await this.#port });
      this.#spreader.add(worker);
    } catch (error) {
      // Its fields do not survive the way in an Error.
      tell(worker, {
        type: "not opened",
        message: (error as Error).message,
        fields: { ...(error as Error) },
      });
    }
  }

  async #listen(): Promise<number> {
    const { host, port } = this.#config.listen;
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    this.#server.on("error", (error) => this.#logger.error({ err: error }, "listener failed"));
    return (this.#server.address() as { port: number }).port;
  }

  #tellTotals(worker: Worker, { id, counts }: Extract<FromWorker, { type: "totals wanted" }>): void {
    this.#totals.report(worker, counts);
    const totals = {
      counts: { ...this.#totals.sum(), [WORKERS_ENDED]: [{ value: this.#ended }] },
      serving: this.#serving().length,
    };
    tell(worker, { type: "totals", id, totals });
  }

  #serving(): Standing[] {
    return [...this.#workers.values()].filter(({ servingSinceMs }) => servingSinceMs !== undefined);
  }

  #exited({ process: { pid } }: Worker, { servingSinceMs }: Standing, code: number, signal: string): void {
    if (this.#phase === "stopping") return;
    const failure = new WorkerFailed(code || 1);
    if (this.#phase === "starting") {
      this.#abandon();
      this.#allServe.reject(failure);
      return;
    }
    const servedMs = servingSinceMs === undefined ? 0 : performance.now() - servingSinceMs;
    // Told to by somebody, and it ended in good order.
    const isAsked = code === 0 && servedMs > 0;
    const startsInMs = isAsked ? 0 : this.#restarts.delayAfter(servedMs);
    const facts = { worker: pid, code, signal, servedMs: Math.round(servedMs), startsInMs };
    if (!isAsked) this.#ended += 1;
    if (this.#restarts.isCrashLoop && this.#serving().length === 0) {
      this.#abandon();
      this.#logger.fatal({ ...facts, startsInMs: undefined }, "workers end as soon as they are started");
      this.#givenUp.resolve(failure);
      return;
    }
    this.#logger[isAsked ? "info" : "error"](facts, "worker ended, another one takes its place");
    setTimeout(() => {
      if (this.#phase === "running") this.#fork({ isFirst: false });
    }, startsInMs).unref();
  }

  /** Ends everything at once. */
  #abandon(): void {
    this.#phase = "stopping";
    this.#server.close();
    this.#spreader.close();
    for (const { process } of this.#workers.keys()) process.kill("SIGKILL");
  }
}

/**
 * Resolves when everything is heard that a worker said before it ended. The event "disconnect" would tell, but never
 * comes if a socket was on its way to the worker (node 24, `_handleQueue` in lib/internal/child_process.js).
 */
async function lastWordOf(worker: Worker): Promise<void> {
  while (worker.isConnected()) await wait(1);
}

function tell(worker: Worker, message: ToWorker): void {
  // One that cannot be reached any more has ended, which is heard elsewhere.
  worker.send(message, undefined, () => {});
}
