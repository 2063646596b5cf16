import type { AggregateType, Change } from "./aggregate.ts";
import { assignments, changedColumns, type SetColumns, sentColumns } from "./changed-columns.ts";
import type { Projections, SideWrite } from "./projection.ts";
import { fieldName, type Row, type RowTable } from "./row-table.ts";
import { arrayParameter, encode, NOW, parameterType, type Statement, value } from "./row-values.ts";

/** One command's changes: all of them are stored, or none. */
export type AppendUnit = readonly Change[];

/** The one row the statement answers: the append's time, and the indexes of the units whose expectation failed. */
export type AppendResult = { at: Date; refused: number[] | null };

/**
 * Writes a batch of units as one statement: lock the rows in id order, refuse every unit with an outdated
 * expectation, then rows and events of the others together.
 *
 * Why one statement: it is one round trip and one commit for the whole batch, and a unit that is refused costs its
 * neighbours nothing. A row that changed after the statement's snapshot can't meet its expectation (whoever decided on
 * the newer state started later), so under READ COMMITTED no update here ever lands on a row other than the one
 * decided on. Columns go in as arrays (`unnest`), so the text depends only on which tables are touched, not on how
 * many units, and can be prepared once.
 */
export function appendStatement(units: readonly AppendUnit[], projections: Projections): Statement {
  const parameters: unknown[] = [];
  const array = (values: unknown[], type: string): string => {
    parameters.push(values);
    return arrayParameter(parameters.length, type);
  };
  const parts: string[] = [];
  const refusals: string[] = [];
  const writes: string[] = [];
  const changes = units.flatMap((unit, index) => unit.map((change) => ({ unit: index, change })));

  for (const [type, { table }] of entries(projections)) {
    const ofType = changes.filter(({ change }) => change.type === type);
    const locked = ofType.filter(({ change }) => change.expectedSequence > 0 || change.events.length === 0);
    if (locked.length > 0) {
      const ids = array(
        locked.map(({ change }) => change.id),
        "text",
      );
      const asked = `unnest(${array(
        locked.map(({ unit }) => unit),
        "int",
      )}, ${ids}, ${array(
        locked.map(({ change }) => change.expectedSequence),
        "bigint",
      )}) AS a(unit, id, expected)`;
      const { frozen } = table;
      parts.push(
        `locked_${type} AS MATERIALIZED (SELECT r.id, r.sequence${frozen ? `, (${frozen.when}) IS TRUE AS frozen` : ""} FROM ${table.name} r WHERE r.id = ANY(${ids}) ORDER BY r.id FOR NO KEY UPDATE)`,
      );
      refusals.push(
        `SELECT a.unit FROM ${asked} LEFT JOIN locked_${type} l ON l.id = a.id WHERE coalesce(l.sequence, 0) <> a.expected`,
      );
      if (frozen) {
        const held = locked.filter(({ change }) => !frozen.exempt(change.state as unknown as Row));
        refusals.push(
          `SELECT a.unit FROM unnest(${array(
            held.map(({ unit }) => unit),
            "int",
          )}, ${array(
            held.map(({ change }) => change.id),
            "text",
          )}) AS a(unit, id) JOIN locked_${type} l ON l.id = a.id WHERE l.frozen`,
        );
      }
    }
    const changed = ofType.filter(({ change }) => change.events.length > 0);
    const isFirst = ({ change }: { change: Change }) => change.expectedSequence === 0;
    const inserted = changed.filter(isFirst).map(stateRow);
    if (inserted.length > 0) {
      writes.push(`inserted_${type} AS (${insertRows(table, source(table.columns, inserted, array))})`);
    }
    const updated = changed.filter((each) => !isFirst(each));
    if (updated.length > 0) {
      const set = changedColumns(
        table,
        updated.map(({ change }) => change),
      );
      const sent = [...table.columns.slice(0, table.keyColumns), ...sentColumns(set)];
      writes.push(
        `updated_${type} AS (${updateRows(table, set, source(sent, updated.map(stateRow), array))})`,
      );
    }
  }
  for (const [name, { table, puts, drops }] of sideWrites(changes, projections)) {
    if (puts.size > 0) {
      writes.push(`put_${name} AS (${putRows(table, source(table.columns, [...puts.values()], array))})`);
    }
    for (const [columns, dropped] of drops) {
      writes.push(`drop_${name}_${columns.join("_")} AS (${dropRows(table, columns, dropped, array)})`);
    }
  }
  writes.push(`appended AS (${insertEvents(changes, array)})`);

  parts.push(
    refusals.length > 0
      ? `refused AS MATERIALIZED (SELECT DISTINCT unit FROM (${refusals.join(" UNION ALL ")}) AS r)`
      : "refused AS (SELECT 0 AS unit WHERE false)",
  );
  return {
    sql: `WITH ${[...parts, ...writes].join(",\n")}\nSELECT ${NOW} AS at, (SELECT array_agg(unit) FROM refused) AS refused`,
    parameters,
  };
}

type ArrayParameter = (values: unknown[], type: string) => string;
type UnitRow = { unit: number; row: Row };

const stateRow = ({ unit, change }: { unit: number; change: Change }): UnitRow => ({
  unit,
  row: change.state as unknown as Row,
});

const accepted = "NOT EXISTS (SELECT 1 FROM refused f WHERE f.unit = n.unit)";

/** `unnest(…) AS n(unit, id, …)` over these columns of the rows. */
function source(given: RowTable["columns"], rows: UnitRow[], array: ArrayParameter): string {
  const columns = given.map(([name, type]) => {
    const field = fieldName(name);
    return array(
      rows.map(({ row }) => encode(row[field], type)),
      parameterType(type),
    );
  });
  const names = given.map(([name]) => name);
  return `unnest(${array(
    rows.map(({ unit }) => unit),
    "int",
  )}, ${columns.join(", ")}) AS n(unit, ${names.join(", ")})`;
}

function insertRows(table: RowTable, from: string): string {
  const names = table.columns.map(([name]) => name).join(", ");
  return `INSERT INTO ${table.name} (${names}) SELECT ${table.columns.map(value).join(", ")} FROM ${from} WHERE ${accepted}`;
}

function updateRows(table: RowTable, set: SetColumns, from: string): string {
  return `UPDATE ${table.name} r SET ${assignments(set)} FROM ${from} WHERE ${sameKey(table)} AND ${accepted}`;
}

function putRows(table: RowTable, from: string): string {
  const keys = table.columns.slice(0, table.keyColumns).map(([name]) => name);
  const sets = table.columns
    .slice(table.keyColumns)
    .filter(([name]) => !table.insertOnly?.includes(name))
    .map(([name]) => `${name} = excluded.${name}`);
  return `${insertRows(table, from)} ON CONFLICT (${keys.join(", ")}) DO UPDATE SET ${sets.join(", ")}`;
}

function sameKey(table: RowTable): string {
  const keys = table.columns.slice(0, table.keyColumns);
  return keys.map(([name]) => `r.${name} = n.${name}`).join(" AND ");
}

function dropRows(table: RowTable, columns: string[], rows: UnitRow[], array: ArrayParameter): string {
  const arrays = columns.map((name) =>
    array(
      rows.map(({ row }) => row[fieldName(name)]),
      "text",
    ),
  );
  const same = columns.map((name) => `r.${name} = n.${name}`).join(" AND ");
  return `DELETE FROM ${table.name} r USING unnest(${array(
    rows.map(({ unit }) => unit),
    "int",
  )}, ${arrays.join(", ")}) AS n(unit, ${columns.join(", ")}) WHERE ${same} AND ${accepted}`;
}

function insertEvents(changes: { unit: number; change: Change }[], array: ArrayParameter): string {
  const events = changes.flatMap(({ unit, change }) =>
    change.events.map((event) => ({ unit, change, event })),
  );
  const columns = [
    array(
      events.map(({ unit }) => unit),
      "int",
    ),
    array(
      events.map(({ change }) => change.type),
      "text",
    ),
    array(
      events.map(({ change }) => change.id),
      "text",
    ),
    array(
      events.map(({ event }) => event.sequence),
      "bigint",
    ),
    array(
      events.map(({ event }) => event.type),
      "text",
    ),
    array(
      events.map(({ event }) => JSON.stringify(event.payload)),
      "jsonb",
    ),
    array(
      events.map(({ event }) => event.actorId),
      "text",
    ),
  ];
  return `INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
SELECT n.aggregate_type, n.aggregate_id, n.sequence, n.event_type, n.payload, n.actor_id, ${NOW}
FROM unnest(${columns.join(", ")}) WITH ORDINALITY AS n(unit, aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, place)
WHERE ${accepted} ORDER BY n.place`;
}

/** Puts by unit and key, drops by the columns that say what is dropped. */
type SideBatch = { table: RowTable; puts: Map<string, UnitRow>; drops: Map<string[], UnitRow[]> };

/** Side writes of the batch by table; a later write of a unit to the same key replaces the earlier. */
function sideWrites(
  changes: { unit: number; change: Change }[],
  projections: Projections,
): Map<string, SideBatch> {
  const batches = new Map<string, SideBatch>();
  for (const { unit, change } of changes) {
    const projection = projections[change.type];
    if (projection.sideTables.length === 0) continue;
    for (const event of change.events) {
      for (const write of projection.sideWrites(change.id, event, change.state as unknown as Row)) {
        addSideWrite(batches, unit, write);
      }
    }
  }
  return batches;
}

function addSideWrite(batches: Map<string, SideBatch>, unit: number, write: SideWrite): void {
  const { table } = write;
  let batch = batches.get(table.name);
  if (!batch) {
    batch = { table, puts: new Map(), drops: new Map() };
    batches.set(table.name, batch);
  }
  // One statement sees one snapshot: it can't drop what it puts, so only the last word on a key is said.
  if ("put" in write) {
    const keys = table.columns.slice(0, table.keyColumns).map(([name]) => write.put[fieldName(name)]);
    const key = JSON.stringify([unit, ...keys]);
    batch.puts.set(key, { unit, row: write.put });
    return;
  }
  const row = write.drop;
  for (const [key, put] of batch.puts) {
    if (put.unit === unit && Object.entries(row).every(([field, value]) => put.row[field] === value)) {
      batch.puts.delete(key);
    }
  }
  const columns = table.columns.map(([name]) => name).filter((name) => fieldName(name) in row);
  const sameColumns = [...batch.drops.keys()].find((known) => known.join() === columns.join());
  if (sameColumns) batch.drops.get(sameColumns)!.push({ unit, row });
  else batch.drops.set(columns, [{ unit, row }]);
}

function entries(projections: Projections): [AggregateType, Projections[AggregateType]][] {
  return Object.entries(projections) as [AggregateType, Projections[AggregateType]][];
}
