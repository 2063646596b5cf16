import { setTimeout as wait } from "node:timers/promises";
import { CompiledQuery, type Kysely, type RawBuilder, sql, type Transaction } from "kysely";
import type { AggregateType } from "../storage/aggregate.ts";
import { sqlState } from "../storage/database-errors.ts";
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
 * How often a rebuild tries to get all its locks, and how long it waits for each. Whoever holds one of them may be about
 * to ask for another that the rebuild has, and everybody else queues up behind it: so it lets go of all, before
 * PostgreSQL looks for a deadlock (after a second) and ends somebody else's transaction, and tries again. What is held
 * still longer may be by an autovacuum, which PostgreSQL ends where it looks for a deadlock, so then it waits for that.
 */
const LOCKING = { attempts: 20, waitMs: [500, 500, 500, 2_000], pauseMs: 100 };
/** 55P03 lock not available in that time, 40P01 deadlock detected. */
const LOCKS_REFUSED = new Set(["55P03", "40P01"]);
/** What a trigger empties with `sessions`. */
const COUNT_TABLES = ["session_counts", "session_count_changes"];

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
  return snapshot(db, [], async (trx) => {
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
 * read or write meanwhile: the tables are locked until it is done.
 * @throws SQLSTATE 55P03 or 40P01 if others have had some of the tables all the time; nothing is changed then
 */
export async function rebuildProjections(
  db: Kysely<Database>,
  projections: Projections,
  { attempts = LOCKING.attempts }: { attempts?: number } = {},
): Promise<{ rebuilt: number }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rebuildOnce(db, projections, LOCKING.waitMs[attempt - 1] ?? LOCKING.waitMs.at(-1)!);
    } catch (error) {
      if (!LOCKS_REFUSED.has(sqlState(error) ?? "") || attempt === attempts) throw error;
      await wait(LOCKING.pauseMs);
    }
  }
}

function rebuildOnce(
  db: Kysely<Database>,
  projections: Projections,
  lockWaitMs: number,
): Promise<{ rebuilt: number }> {
  const tables = allTables(projections).map(({ table }) => ({ table, rows: [] as Row[] }));
  const locked = [...tables.map(({ table }) => table.name), ...COUNT_TABLES].map((name) => sql.table(name));
  const locks = [
    // No SELECT of set_config(), which would take the snapshot.
    sql`SET LOCAL lock_timeout = ${sql.lit(lockWaitMs)}`,
    // Before the log, as everything that writes has it.
    sql`LOCK TABLE ${sql.join(locked)} IN ACCESS EXCLUSIVE MODE`,
  ];
  return snapshot(db, locks, async (trx) => {
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
  before: readonly RawBuilder<unknown>[],
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db
    .withoutPlugins()
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (trx) => {
      for (const statement of before) await statement.execute(trx);
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
