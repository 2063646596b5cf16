import { CompiledQuery, type Kysely, type RawBuilder, sql, type Transaction } from "kysely";
import type { AggregateType } from "../storage/aggregate.ts";
import type { Projections } from "../storage/projection.ts";
import { fieldName, type Row, type RowTable } from "../storage/row-table.ts";
import type { Database } from "../storage/tables.ts";
import { emptyTable, ownerColumn, type ReplayedTable, replayLog } from "./replay-log.ts";
import { countDifferences } from "./session-counts.ts";
import { type Difference, StoredRows } from "./stored-rows.ts";

export type { Difference };

export type Verification = { aggregates: number; differences: Difference[] };

const ROWS_PER_PAGE = 5_000;

/**
 * Folds the whole log and compares the result with every row, in one snapshot. Log and rows are read side by side in the
 * order of their ids, so that memory does not grow with them.
 * @returns an empty list of differences if the rows are exactly what the log says, and the counts what the rows say
 */
export function verifyProjections(
  db: Kysely<Database>,
  projections: Projections,
  { pageSize = ROWS_PER_PAGE }: { pageSize?: number } = {},
): Promise<Verification> {
  return snapshot(db, undefined, async (trx) => {
    const shared = sharedTables(projections);
    const stored = new Map(
      allTables(projections).map(({ type, table }) => {
        const owner = ownerColumn(type, table) ?? table.columns[0]![0];
        return [table, new StoredRows(trx, table, owner, pageSize)];
      }),
    );
    let aggregates = 0;
    for await (const { id, projection, state, own } of replayLog(trx, projections, shared, pageSize)) {
      aggregates += 1;
      await stored.get(projection.table)!.expect(id, new Map([[id, state]]));
      for (const { table, rows } of own) if (rows.size > 0) await stored.get(table)!.expect(id, rows);
    }
    for (const { table, rows } of shared) {
      for (const [owner, ofOwner] of byOwner(table, rows)) await stored.get(table)!.expect(owner, ofOwner);
    }
    for (const rows of stored.values()) await rows.end();
    const ofRows = [...stored.values()].flatMap(({ differences }) => differences);
    return { aggregates, differences: [...ofRows, ...(await countDifferences(trx))] };
  });
}

/**
 * Replaces every row by what the log says, and so what is counted of them, which follows the rows by itself. Nobody may
 * write meanwhile: the tables are locked until it is done.
 */
export function rebuildProjections(
  db: Kysely<Database>,
  projections: Projections,
): Promise<{ rebuilt: number }> {
  const tables = allTables(projections).map(({ table }) => ({ table, rows: [] as Row[] }));
  // Before the log, as everything that writes has it: who holds a row and waits for the log must not be waited for.
  const before = sql`LOCK TABLE ${sql.join(tables.map(({ table }) => sql.table(table.name)))} IN ACCESS EXCLUSIVE MODE`;
  return snapshot(db, before, async (trx) => {
    for (const { table } of tables) await trx.executeQuery(CompiledQuery.raw(`TRUNCATE ${table.name}`));
    let rebuilt = 0;
    const store = async (table: RowTable, rows: Iterable<Row>, least: number) => {
      const waiting = tables.find((each) => each.table === table)!.rows;
      waiting.push(...rows);
      if (waiting.length < least) return;
      await insert(trx, table, waiting);
      rebuilt += waiting.length;
      waiting.length = 0;
    };
    const shared = sharedTables(projections);
    for await (const { projection, state, own } of replayLog(trx, projections, shared, ROWS_PER_PAGE)) {
      await store(projection.table, [state], ROWS_PER_PAGE);
      for (const { table, rows } of own) await store(table, rows.values(), ROWS_PER_PAGE);
    }
    for (const { table, rows } of shared) await store(table, rows.values(), 0);
    for (const { table } of tables) await store(table, [], 1);
    return { rebuilt };
  });
}

async function snapshot<T>(
  db: Kysely<Database>,
  before: RawBuilder<unknown> | undefined,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db
    .withoutPlugins()
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (trx) => {
      await before?.execute(trx);
      // Before the snapshot is taken: an append that is under way finishes, a later one waits.
      await sql`LOCK TABLE events IN SHARE MODE`.execute(trx);
      return work(trx);
    });
}

/** Every table once, with the kind of aggregate that writes to it, or one of several. */
function allTables(projections: Projections): { type: AggregateType; table: RowTable }[] {
  const all = new Map<RowTable, AggregateType>();
  for (const [type, { table, sideTables }] of Object.entries(projections)) {
    for (const each of [table, ...sideTables]) all.set(each, type as AggregateType);
  }
  return [...all].map(([table, type]) => ({ type, table }));
}

/** Side tables that several aggregates write to. There is no order in which their rows would come by. */
function sharedTables(projections: Projections): ReplayedTable[] {
  const main = new Set(Object.values(projections).map(({ table }) => table));
  return allTables(projections)
    .filter(({ type, table }) => !main.has(table) && ownerColumn(type, table) === undefined)
    .map(({ table }) => emptyTable(table));
}

/** The rows by the first column of their key, in the order of bytes. */
function byOwner(table: RowTable, rows: ReadonlyMap<string, Row>): [string, Map<string, Row>][] {
  const owner = fieldName(table.columns[0]![0]);
  const groups = Map.groupBy(rows, ([, row]) => String(row[owner]));
  const sorted = [...groups].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return sorted.map(([id, entries]) => [id, new Map(entries)]);
}

async function insert(trx: Transaction<Database>, table: RowTable, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return;
  const names = table.columns.map(([name]) => name).join(", ");
  const arrays = table.columns.map(
    ([, type], index) => `$${index + 1}::${type === "time" ? "timestamptz" : type}[]`,
  );
  const parameters = table.columns.map(([name, type]) =>
    rows.map((row) => {
      const value = row[fieldName(name)];
      if (value === null || value === undefined) return null;
      return type === "jsonb" ? JSON.stringify(value) : value;
    }),
  );
  await trx.executeQuery(
    CompiledQuery.raw(
      `INSERT INTO ${table.name} (${names}) SELECT * FROM unnest(${arrays.join(", ")})`,
      parameters,
    ),
  );
}
