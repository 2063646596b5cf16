import type { Transaction } from "kysely";
import { fieldName, type Row, type RowTable } from "../storage/row-table.ts";
import type { Database } from "../storage/tables.ts";
import { Cursor } from "./cursor.ts";
import { keyOf } from "./replay-log.ts";

/** One column of one row that is not what the log says. `column` is `*` for a row too many or missing. */
export type Difference = { table: string; key: string; column: string };

/**
 * The stored rows of a table, compared with the log's as these come by, in the order of whom they belong to. Both are in
 * the order of bytes, which is not the order of JavaScript's strings.
 */
export class StoredRows {
  readonly differences: Difference[] = [];
  readonly #table: RowTable;
  readonly #owner: string;
  readonly #rows: Cursor<Row>;

  /** @param owner the column with the id of the aggregate a row belongs to */
  constructor(trx: Transaction<Database>, table: RowTable, owner: string, pageSize: number) {
    this.#table = table;
    this.#owner = fieldName(owner);
    const columns = table.columns.map(([name]) => `${name} AS "${fieldName(name)}"`).join(", ");
    this.#rows = new Cursor(
      trx,
      `stored_${table.name}`,
      `SELECT ${columns} FROM ${table.name} ORDER BY ${owner} COLLATE "C"`,
      pageSize,
    );
  }

  /** These are all the rows there should be of one aggregate; those of aggregates before it have been told. */
  async expect(ownerId: string, expected: ReadonlyMap<string, Row>): Promise<void> {
    await this.#tooMany((id) => isBefore(id, ownerId));
    const stored = new Map<string, Row>();
    for (let row = await this.#rows.peek(); row?.[this.#owner] === ownerId; row = await this.#rows.peek()) {
      stored.set(keyOf(this.#table, row), row);
      await this.#rows.take();
    }
    for (const key of new Set([...expected.keys(), ...stored.keys()])) {
      this.#compare(key, expected.get(key), stored.get(key));
    }
  }

  /** There should be no more rows. */
  end(): Promise<void> {
    return this.#tooMany(() => true);
  }

  async #tooMany(isPast: (ownerId: string) => boolean): Promise<void> {
    for (let row = await this.#rows.peek(); row && isPast(row[this.#owner] as string); ) {
      this.#compare(keyOf(this.#table, row), undefined, row);
      await this.#rows.take();
      row = await this.#rows.peek();
    }
  }

  #compare(key: string, should: Row | undefined, is: Row | undefined): void {
    const { name: table, columns } = this.#table;
    if (!should || !is) {
      this.differences.push({ table, key, column: "*" });
      return;
    }
    for (const [column] of columns) {
      const field = fieldName(column);
      if (canonical(should[field]) !== canonical(is[field])) this.differences.push({ table, key, column });
    }
  }
}

function isBefore(a: string, b: string): boolean {
  return a !== b && Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/** JSON with sorted keys: `jsonb` does not keep the order a document was written in. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
