import { CompiledQuery, type Kysely, sql, type Transaction } from "kysely";
import type { AggregateState, AggregateType, Recorded } from "../storage/aggregate.ts";
import type { Projections, SideWrite } from "../storage/projection.ts";
import { fieldName, type Row, type RowTable } from "../storage/row-table.ts";
import type { Database } from "../storage/tables.ts";

/** One column of one row that is not what the log says. `column` is `*` for a row too many or missing. */
export type Difference = { table: string; key: string; column: string };

export type Verification = { aggregates: number; differences: Difference[] };

const EVENTS_PER_PAGE = 5_000;

/**
 * Folds the whole log and compares the result with every row, in one snapshot.
 * @returns an empty list of differences if the rows are exactly what the log says
 */
export function verifyProjections(db: Kysely<Database>, projections: Projections): Promise<Verification> {
  return snapshot(db, async (trx) => {
    const { aggregates, tables } = await replay(trx, projections);
    const differences: Difference[] = [];
    for (const { table, rows } of tables.values()) {
      differences.push(...compare(table, rows, await storedRows(trx, table)));
    }
    return { aggregates, differences };
  });
}

/** Replaces every row by what the log says. Nobody may write meanwhile: the tables are locked until it is done. */
export function rebuildProjections(
  db: Kysely<Database>,
  projections: Projections,
): Promise<{ rebuilt: number }> {
  return snapshot(db, async (trx) => {
    const { tables } = await replay(trx, projections);
    let rebuilt = 0;
    for (const { table, rows } of tables.values()) {
      await trx.executeQuery(CompiledQuery.raw(`TRUNCATE ${table.name}`));
      const all = [...rows.values()];
      for (let start = 0; start < all.length; start += EVENTS_PER_PAGE) {
        await insert(trx, table, all.slice(start, start + EVENTS_PER_PAGE));
      }
      rebuilt += all.length;
    }
    return { rebuilt };
  });
}

type ReplayedTable = { table: RowTable; rows: Map<string, Row> };

async function snapshot<T>(
  db: Kysely<Database>,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return db
    .withoutPlugins()
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (trx) => {
      // Before the snapshot is taken: an append that is under way finishes, a later one waits.
      await sql`LOCK TABLE events IN SHARE MODE`.execute(trx);
      return work(trx);
    });
}

/** The log from the beginning, aggregate by aggregate. */
async function replay(
  trx: Transaction<Database>,
  projections: Projections,
): Promise<{ aggregates: number; tables: Map<string, ReplayedTable> }> {
  const tables = new Map<string, ReplayedTable>();
  for (const { table, sideTables } of Object.values(projections)) {
    for (const each of [table, ...sideTables]) tables.set(each.name, { table: each, rows: new Map() });
  }
  let aggregates = 0;
  let state: AggregateState | undefined;
  let last = { type: "" as string, id: "", sequence: 0 };
  for (;;) {
    const page = await eventsAfter(trx, last);
    for (const { aggregateType, aggregateId, ...event } of page) {
      const { aggregate, table, sideWrites } = projections[aggregateType];
      if (state === undefined || last.type !== aggregateType || last.id !== aggregateId) {
        state = aggregate.initialState(aggregateId) as AggregateState;
        aggregates += 1;
      }
      state = aggregate.evolve(state, event) as AggregateState;
      put(tables.get(table.name)!, state);
      for (const write of sideWrites(aggregateId, event, state)) {
        applySideWrite(tables.get(write.table.name)!, write);
      }
      last = { type: aggregateType, id: aggregateId, sequence: event.sequence };
    }
    if (page.length < EVENTS_PER_PAGE) return { aggregates, tables };
  }
}

type StoredEvent = Recorded & { aggregateType: AggregateType; aggregateId: string };

async function eventsAfter(
  trx: Transaction<Database>,
  { type, id, sequence }: { type: string; id: string; sequence: number },
): Promise<StoredEvent[]> {
  const { rows } = await trx.executeQuery<StoredEvent>(
    CompiledQuery.raw(
      `SELECT aggregate_type AS "aggregateType", aggregate_id AS "aggregateId", sequence, event_type AS type, payload,
         actor_id AS "actorId", created_at AS "createdAt"
       FROM events WHERE (aggregate_type, aggregate_id, sequence) > ($1, $2, $3)
       ORDER BY aggregate_type, aggregate_id, sequence LIMIT ${EVENTS_PER_PAGE}`,
      [type, id, sequence],
    ),
  );
  return rows;
}

function applySideWrite(replayed: ReplayedTable, write: SideWrite): void {
  if ("put" in write) {
    put(replayed, write.put);
    return;
  }
  for (const [key, row] of replayed.rows) {
    if (Object.entries(write.drop).every(([field, value]) => row[field] === value)) replayed.rows.delete(key);
  }
}

function put({ table, rows }: ReplayedTable, row: Row): void {
  const key = keyOf(table, row);
  const before = rows.get(key);
  const kept = before
    ? (table.insertOnly ?? []).map((column) => [fieldName(column), before[fieldName(column)]])
    : [];
  rows.set(key, { ...row, ...Object.fromEntries(kept) });
}

async function storedRows(trx: Transaction<Database>, table: RowTable): Promise<Map<string, Row>> {
  const columns = table.columns.map(([name]) => `${name} AS "${fieldName(name)}"`).join(", ");
  const { rows } = await trx.executeQuery<Row>(CompiledQuery.raw(`SELECT ${columns} FROM ${table.name}`));
  return new Map(rows.map((row) => [keyOf(table, row), row]));
}

function compare(table: RowTable, expected: Map<string, Row>, stored: Map<string, Row>): Difference[] {
  const differences: Difference[] = [];
  for (const key of new Set([...expected.keys(), ...stored.keys()])) {
    const [should, is] = [expected.get(key), stored.get(key)];
    if (!should || !is) {
      differences.push({ table: table.name, key, column: "*" });
      continue;
    }
    for (const [name] of table.columns) {
      const field = fieldName(name);
      if (canonical(should[field]) !== canonical(is[field]))
        differences.push({ table: table.name, key, column: name });
    }
  }
  return differences;
}

function keyOf(table: RowTable, row: Row): string {
  return table.columns
    .slice(0, table.keyColumns)
    .map(([name]) => String(row[fieldName(name)]))
    .join(" ");
}

/** JSON with sorted keys: `jsonb` does not keep the order a document was written in. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

async function insert(trx: Transaction<Database>, table: RowTable, rows: Row[]): Promise<void> {
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
