import type { Aggregate, AggregateType, Recorded } from "./aggregate.ts";
import type { Row, RowTable } from "./row-table.ts";

/** A row beside the aggregate's own: put (insert or replace by key), or drop every row with these column values. */
export type SideWrite = { table: RowTable; put: Row } | { table: RowTable; drop: Row };

/**
 * How one kind of aggregate becomes rows. The row in `table` is the folded state, field by field; side tables follow
 * single events. Both are written by the statement that appends the events, so they can't be apart.
 */
export type Projection = {
  // biome-ignore lint/suspicious/noExplicitAny: each entry knows its own state and events, the store knows neither
  aggregate: Aggregate<any, any>;
  table: RowTable;
  sideTables: readonly RowTable[];
  sideWrites(aggregateId: string, event: Recorded, state: Row): readonly SideWrite[];
};

/** Every kind of aggregate, in the order their rows are locked. */
export type Projections = { readonly [type in AggregateType]: Projection };
