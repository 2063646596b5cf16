import type { Change } from "./aggregate.ts";
import { assignments, changedColumns, type SetColumns, sentColumns } from "./changed-columns.ts";
import type { Projection } from "./projection.ts";
import { fieldName, type Row } from "./row-table.ts";
import { arrayParameter, encode, NOW, parameterType, type Statement } from "./row-values.ts";

const texts = new Map<string, string>();

/**
 * What a busy server sends most: stored rows of one kind that change, each in a unit of its own. As in
 * `singleAppendStatement` the update itself says whether an expectation holds, so no row is locked and looked at before.
 * Rows go in by id, and are locked in that order. Answers like `appendStatement`, and means the same.
 * @param changes one of each unit, with events, of stored rows and of a kind without side writes in them
 */
export function batchUpdateStatement(changes: readonly Change[], { table }: Projection): Statement {
  const sorted = changes
    .map((change, unit) => ({ change, unit }))
    .sort((a, b) => (a.change.id < b.change.id ? -1 : 1));
  const set = changedColumns(table, changes);
  const { type } = changes[0]!;
  const key = `${type} ${set.key}`;
  let sql = texts.get(key);
  if (sql === undefined) {
    sql = textFor(type, table, set);
    texts.set(key, sql);
  }
  const events = sorted.flatMap(({ change, unit }) =>
    change.events.map((event) => ({ event, unit, id: change.id })),
  );
  const { frozen } = table;
  return {
    sql,
    parameters: [
      sorted.map(({ unit }) => unit),
      sorted.map(({ change }) => change.id),
      sorted.map(({ change }) => change.expectedSequence),
      ...(frozen ? [sorted.map(({ change }) => !frozen.exempt(change.state as unknown as Row))] : []),
      ...sentColumns(set).map(([name, kind]) => {
        const field = fieldName(name);
        return sorted.map(({ change }) => encode((change.state as unknown as Row)[field], kind));
      }),
      events.map(({ unit }) => unit),
      events.map(({ id }) => id),
      events.map(({ event }) => event.sequence),
      events.map(({ event }) => event.type),
      events.map(({ event }) => JSON.stringify(event.payload)),
      events.map(({ event }) => event.actorId),
    ],
  };
}

function textFor(type: string, table: Projection["table"], set: SetColumns): string {
  let parameters = 0;
  const array = (kind: string): string => {
    parameters += 1;
    return arrayParameter(parameters, kind);
  };
  const { frozen } = table;
  const given = sentColumns(set);
  const rows = [
    ...["int", "text", "bigint", ...(frozen ? ["boolean"] : [])].map(array),
    ...given.map(([, kind]) => array(parameterType(kind))),
  ];
  const names = ["unit", "key", "expected", ...(frozen ? ["held"] : []), ...given.map(([name]) => name)];
  const events = ["int", "text", "bigint", "text", "jsonb", "text"].map(array);
  const isFree = frozen ? ` AND (NOT n.held OR (${frozen.when}) IS NOT TRUE)` : "";
  return `WITH changed AS (UPDATE ${table.name} r SET ${assignments(set)}
FROM unnest(${rows.join(", ")}) AS n(${names.join(", ")})
WHERE r.id = n.key AND r.sequence = n.expected${isFree} RETURNING n.unit),
appended AS (INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
SELECT '${type}', e.id, e.sequence, e.event_type, e.payload, e.actor_id, ${NOW}
FROM unnest(${events.join(", ")}) WITH ORDINALITY AS e(unit, id, sequence, event_type, payload, actor_id, place)
WHERE e.unit IN (SELECT unit FROM changed) ORDER BY e.place)
SELECT ${NOW} AS at, (SELECT array_agg(u.unit) FROM unnest(${rows[0]}) AS u(unit) WHERE u.unit NOT IN (SELECT unit FROM changed)) AS refused`;
}
