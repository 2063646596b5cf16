import { Worker } from "node:worker_threads";
import { DomainError } from "../../errors.ts";
import { translateDatabaseError } from "../database-errors.ts";
import { EngineError, type EngineReply, type EngineRequest, type EngineResults } from "./engine-messages.ts";
import type { EngineJob } from "./engine-worker.ts";

type Waiting = { resolve: (results: EngineResults) => void; reject: (error: unknown) => void };
type Unnumbered = { statement: string; parameters: unknown[] } | { close: true };
type Queries = { query<T>(statement: string, parameters?: unknown[]): Promise<Results<T>> };
type Results<T> = EngineResults & { rows: T[] };

/**
 * The embedded database in its thread, as Kysely's PGliteDialect wants it. Kysely gives it one statement or one
 * transaction at a time.
 */
export class EngineThread implements Queries {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly waitReady: Promise<void>;
  #lastId = 0;
  ready = false;
  closed = false;

  /** @param onDeath hears that the thread ended by itself; what waits for it is answered `storage.unavailable` */
  constructor(directory: string, onDeath: (reason: Error) => void) {
    const workerData: EngineJob = { directory };
    this.#worker = new Worker(new URL("./engine-worker.ts", import.meta.url), { workerData });
    this.waitReady = new Promise((resolve, reject) => {
      const end = (reason: Error) => {
        if (this.closed) return;
        this.closed = true;
        reject(reason);
        const unavailable = new DomainError("storage.unavailable", { cause: reason });
        for (const waiting of this.#waiting.values()) waiting.reject(unavailable);
        this.#waiting.clear();
        if (this.ready) onDeath(reason);
      };
      this.#worker.on("error", end);
      this.#worker.on("exit", (code) => end(new Error(`its thread ended with code ${code}`)));
      this.#worker.on("message", (reply: EngineReply) => {
        if ("fault" in reply) return end(new Error(reply.fault));
        if (!("ready" in reply)) return this.#settle(reply);
        this.ready = true;
        // Like PGlite in this thread, it keeps no process alive but while it works.
        this.#worker.unref();
        resolve();
      });
    });
  }

  query<T>(statement: string, parameters: unknown[] = []): Promise<Results<T>> {
    return this.#ask({ statement, parameters }) as Promise<Results<T>>;
  }

  async transaction<T>(
    work: (transaction: Queries & { rollback(): Promise<void> }) => Promise<T>,
  ): Promise<T> {
    await this.query("BEGIN");
    const rollback = async () => void (await this.query("ROLLBACK"));
    let result: T;
    try {
      result = await work({ query: (statement, parameters) => this.query(statement, parameters), rollback });
    } catch (error) {
      await rollback();
      throw error;
    }
    // What PostgreSQL answers when a statement of the transaction failed and nobody minded.
    const { command } = await this.query("COMMIT");
    if (command === "ROLLBACK")
      throw new EngineError({ message: "transaction was rolled back", code: "25P02" });
    return result;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.#ask({ close: true });
    this.closed = true;
    await this.#worker.terminate();
  }

  #ask(request: Unnumbered): Promise<EngineResults> {
    if (this.closed) return Promise.reject(new DomainError("storage.unavailable"));
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#worker.postMessage({ ...request, id } satisfies EngineRequest);
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #settle(reply: Extract<EngineReply, { id: number }>): void {
    const waiting = this.#waiting.get(reply.id)!;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("error" in reply) waiting.reject(translateDatabaseError(new EngineError(reply.error)));
    else waiting.resolve(reply.results);
  }
}
