import type { Change } from "./aggregate.ts";
import { assignments, changedColumns, type SetColumns, sentColumns } from "./changed-columns.ts";
import type { Projection } from "./projection.ts";
import { fieldName, type Row } from "./row-table.ts";
import { arrayParameter, encode, NOW, parameterType, type Statement, value } from "./row-values.ts";

const texts = new Map<string, string>();

/**
 * What an idle server sends: one aggregate, its row and its events, without the arrays and locks a batch needs. The
 * update itself says whether the expectation holds; where another append has the row, it waits and looks again.
 * Answers like the statement of a batch, and means the same.
 * @param change with events, and of a kind without side writes in them
 */
export function singleAppendStatement(change: Change, { table }: Projection): Statement {
  const { type, id, expectedSequence, events } = change;
  const isFirst = expectedSequence === 0;
  const row = change.state as unknown as Row;
  const frozen = table.frozen && !table.frozen.exempt(row) ? table.frozen.when : undefined;
  const set = isFirst ? undefined : changedColumns(table, [change]);
  const given = set ? sentColumns(set) : table.columns;
  const key = `${type} ${set?.key} ${frozen !== undefined}`;
  let sql = texts.get(key);
  if (sql === undefined) {
    sql = textFor(type, table, { given, set, frozen });
    texts.set(key, sql);
  }
  return {
    sql,
    parameters: [
      ...given.map(([name, columnType]) => encode(row[fieldName(name)], columnType)),
      expectedSequence,
      id,
      events.map(({ sequence }) => sequence),
      events.map((event) => event.type),
      events.map(({ payload }) => JSON.stringify(payload)),
      events.map(({ actorId }) => actorId),
    ],
  };
}

function textFor(
  type: string,
  table: Projection["table"],
  {
    given,
    set,
    frozen,
  }: { given: Projection["table"]["columns"]; set: SetColumns | undefined; frozen: string | undefined },
): string {
  const parameters = given.map(([name, kind], index) => `$${index + 1}::${parameterType(kind)} AS ${name}`);
  const after = (place: number) => given.length + place;
  const [expected, id] = [`$${after(1)}::bigint`, `$${after(2)}::text`];
  const lists = ["bigint", "text", "jsonb", "text"].map((kind, index) =>
    arrayParameter(after(3 + index), kind),
  );
  const source = `(SELECT ${parameters.join(", ")}) AS n`;
  const names = table.columns.map(([name]) => name).join(", ");
  const changed = set
    ? `UPDATE ${table.name} r SET ${assignments(set)} FROM ${source} WHERE r.id = ${id} AND r.sequence = ${expected}${frozen ? ` AND (${frozen}) IS NOT TRUE` : ""}`
    : `INSERT INTO ${table.name} AS r (${names}) SELECT ${table.columns.map(value).join(", ")} FROM ${source} WHERE ${expected} = 0`;
  return `WITH changed AS (${changed} RETURNING r.id),
appended AS (INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
SELECT '${type}', ${id}, e.sequence, e.event_type, e.payload, e.actor_id, ${NOW}
FROM changed, unnest(${lists.join(", ")}) AS e(sequence, event_type, payload, actor_id) ORDER BY e.sequence)
SELECT ${NOW} AS at, CASE WHEN EXISTS (SELECT 1 FROM changed) THEN NULL ELSE ARRAY[0] END AS refused`;
}
