import { CompiledQuery, type Transaction } from "kysely";
import type { Database } from "../storage/tables.ts";

/** Rows of a query, a page at a time: however many there are, few are in memory. */
export class Cursor<R> {
  readonly #trx: Transaction<Database>;
  readonly #name: string;
  readonly #query: string;
  readonly #pageSize: number;
  #page: R[] = [];
  #place = 0;
  #state: "new" | "open" | "read" = "new";

  /** @param name of the cursor, one of its own in the transaction */
  constructor(trx: Transaction<Database>, name: string, query: string, pageSize: number) {
    this.#trx = trx;
    this.#name = name;
    this.#query = query;
    this.#pageSize = pageSize;
  }

  /** The next row, which stays the next; undefined after the last. */
  async peek(): Promise<R | undefined> {
    if (this.#place === this.#page.length && this.#state !== "read") await this.#fetch();
    return this.#page[this.#place];
  }

  /** The next row. */
  async take(): Promise<R | undefined> {
    const row = await this.peek();
    if (row !== undefined) this.#place += 1;
    return row;
  }

  async #fetch(): Promise<void> {
    if (this.#state === "new") {
      await this.#trx.executeQuery(
        CompiledQuery.raw(`DECLARE ${this.#name} NO SCROLL CURSOR FOR ${this.#query}`),
      );
      this.#state = "open";
    }
    const { rows } = await this.#trx.executeQuery<R>(
      CompiledQuery.raw(`FETCH ${this.#pageSize} FROM ${this.#name}`),
    );
    this.#page = rows;
    this.#place = 0;
    if (rows.length < this.#pageSize) this.#state = "read";
  }
}
