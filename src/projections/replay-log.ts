import type { Transaction } from "kysely";
import type { AggregateState, AggregateType, Recorded } from "../storage/aggregate.ts";
import type { Projection, Projections, SideWrite } from "../storage/projection.ts";
import { fieldName, type Row, type RowTable } from "../storage/row-table.ts";
import type { Database } from "../storage/tables.ts";
import { Cursor } from "./cursor.ts";

/** An aggregate folded anew, with the rows of its own beside it. */
export type Replayed = { id: string; projection: Projection; state: Row; own: readonly ReplayedTable[] };

/** A table as the log says it is, by key. */
export type ReplayedTable = { table: RowTable; rows: Map<string, Row> };

type StoredEvent = Recorded & { aggregateType: AggregateType; aggregateId: string };

/**
 * Folds the log from the beginning, aggregate by aggregate, in the order of types and ids, bytewise.
 * @param shared gets the rows of side tables that several aggregates write to, whole only after the last aggregate
 */
export async function* replayLog(
  trx: Transaction<Database>,
  projections: Projections,
  shared: readonly ReplayedTable[],
  pageSize: number,
): AsyncGenerator<Replayed> {
  const events = new Cursor<StoredEvent>(
    trx,
    "replayed_events",
    `SELECT aggregate_type AS "aggregateType", aggregate_id AS "aggregateId", sequence, event_type AS type, payload,
       actor_id AS "actorId", created_at AS "createdAt"
     FROM events ORDER BY aggregate_type, aggregate_id, sequence`,
    pageSize,
  );
  for (let first = await events.peek(); first !== undefined; first = await events.peek()) {
    const { aggregateType: type, aggregateId: id } = first;
    const projection = projections[type];
    const { aggregate, sideTables, sideWrites } = projection;
    const own = sideTables.filter((table) => ownerColumn(type, table)).map(emptyTable);
    const tables = [...own, ...shared];
    let state = aggregate.initialState(id) as AggregateState;
    for (
      let next: StoredEvent | undefined = first;
      next?.aggregateType === type && next.aggregateId === id;
      next = await events.peek()
    ) {
      const { aggregateType: _, aggregateId: __, ...event } = next;
      await events.take();
      state = aggregate.evolve(state, event) as AggregateState;
      for (const write of sideWrites(id, event, state as unknown as Row)) {
        apply(write, tables.find(({ table }) => table === write.table)!);
      }
    }
    yield { id, projection, state: state as unknown as Row, own };
  }
}

/**
 * The column that says whose rows these are, if each row of a side table belongs to one aggregate: `user_id` of a
 * user's.
 */
export function ownerColumn(type: AggregateType, { columns }: RowTable): string | undefined {
  return type === "user" ? columns.find(([name]) => name === "user_id")?.[0] : undefined;
}

export const emptyTable = (table: RowTable): ReplayedTable => ({ table, rows: new Map() });

/** A row's primary key, for people. */
export function keyOf(table: RowTable, row: Row): string {
  return table.columns
    .slice(0, table.keyColumns)
    .map(([name]) => String(row[fieldName(name)]))
    .join(" ");
}

function apply(write: SideWrite, { table, rows }: ReplayedTable): void {
  if ("drop" in write) {
    for (const [key, row] of rows) {
      if (Object.entries(write.drop).every(([field, value]) => row[field] === value)) rows.delete(key);
    }
    return;
  }
  const key = keyOf(table, write.put);
  const before = rows.get(key);
  const kept = before
    ? (table.insertOnly ?? []).map((column) => [fieldName(column), before[fieldName(column)]])
    : [];
  rows.set(key, { ...write.put, ...Object.fromEntries(kept) });
}
