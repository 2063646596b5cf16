import { type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, inSql, type Sql } from "./conditions.ts";
import { type ListCondition, listSql, ofValueSql, rankOf, valuesSql } from "./session-filter-sql.ts";
import { isNarrow, type Part, partsOf, type Selection } from "./session-parts-sql.ts";
import { type Moment, reasonSql } from "./session-standing-sql.ts";
import { visibleSql, waysToSee } from "./session-visibility-sql.ts";

/** Which of the selected sessions, in which order: by `key`, a timestamptz, and id. */
export type KeyRange = {
  key: RawBuilder<unknown>;
  ascending: boolean;
  after?: { at: string; id: string } | undefined;
  offset: number;
  /** Undefined: all of them, in no order. */
  limit: number | undefined;
};

// PostgreSQL reads a page out of an index that begins with what is asked for and goes on in the order of creation. It
// does so for one value only, not for one of several, nor for one condition or another. So a list is put together of
// short reads: one for each part by how sessions stand, and in it for each way the caller sees sessions, and for each
// value of the list that is asked for.

/** `id` and `at` of a page of sessions, each once. */
export function keysSql(selection: Selection, moment: Moment, range: KeyRange): RawBuilder<unknown> {
  return mergedSql(partsOf(selection, moment), selection, moment, range);
}

/** The same of these parts only. */
export function mergedSql(
  parts: readonly Part[],
  selection: Selection,
  moment: Moment,
  range: KeyRange,
): RawBuilder<unknown> {
  const reads = parts.flatMap((part) => readsOf(part, selection, moment, range));
  if (reads.length === 0) return sql`SELECT s.id, s.created_at AS at FROM sessions s WHERE false`;
  const isEachOnce = reads.length === parts.length && !parts.some(({ overlaps }) => overlaps);
  const all = sql.join(
    reads.map((read) => sql`(${read})`),
    isEachOnce ? sql` UNION ALL ` : sql` UNION `,
  );
  const { offset, limit } = range;
  if (limit === undefined) return all;
  const order = orderSql(sql`k.at`, sql`k.id`, range);
  return sql`SELECT k.id, k.at FROM (${all}) k ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`;
}

/** A read for each way to see sessions, or a single one where few are looked at anyway. */
function readsOf(part: Part, selection: Selection, moment: Moment, range: KeyRange): RawBuilder<unknown>[] {
  const { visibility, reasons } = selection;
  const conditions = [...part.conditions, ...selection.conditions];
  // Those an act ended are found by their reason; the reason of others may have to be worked out.
  if (reasons && !part.lists?.some(({ column }) => column === "reason")) {
    conditions.push(inSql(reasonSql(moment), reasons));
  }
  const lists = [...selection.lists, ...(part.lists ?? [])];
  const ways = waysToSee(visibility);
  const isSingle = part.isByActs || part.among || lists.some(isNarrow) || range.limit === undefined;
  if (ways === undefined || isSingle) {
    return [readSql({ ...part, lists, conditions: [...conditions, visibleSql(visibility)] }, range)];
  }
  return ways.map((way) => readSql({ ...part, lists: [...lists, way], conditions }, range));
}

function readSql({ lists = [], conditions, isByActs, among }: Part, range: KeyRange): RawBuilder<unknown> {
  const { key, after, offset, limit } = range;
  const comparison = sql.raw(range.ascending ? ">" : "<");
  const passed = after
    ? [sql<SqlBool>`(${key}, s.id) ${comparison} (${after.at}::timestamptz, ${after.id}::text)`]
    : [];
  const first =
    limit === undefined
      ? sql`OFFSET 0`
      : sql`ORDER BY ${orderSql(key, sql`s.id`, range)} LIMIT ${offset + limit}`;
  const where = (each: readonly ListCondition[], ...more: Sql[]) =>
    allOf([...more, ...each.map(listSql), ...conditions, ...passed]);
  const select = (from: RawBuilder<unknown>, condition: Sql) =>
    sql`SELECT s.id, ${key} AS at FROM ${from} WHERE ${condition} ${first}`;

  if (isByActs) {
    const ofAct = sql<SqlBool>`s.user_id = act.user_id AND s.user_epoch = act.epoch`;
    return sql`SELECT k.* FROM user_endings act, LATERAL (${select(sql`sessions s`, where(lists, ofAct))}) k
      WHERE NOT act.is_done`;
  }
  if (among !== undefined && !lists.some(isNarrow)) {
    // A limit that is not known before the statement runs has PostgreSQL go by the order it is asked for.
    const inOrder = sql`(SELECT * FROM sessions s WHERE ${among}
      ORDER BY s.expires_at, s.id LIMIT (SELECT 9223372036854775807)) s`;
    return select(inOrder, where(lists));
  }
  const [best, ...others] = [...lists].sort((a, b) => rankOf(a.column) - rankOf(b.column));
  if (best === undefined || best.column === "id" || best.values.length === 1 || limit === undefined) {
    return select(sql`sessions s`, where(lists));
  }
  const ofValue = select(sql`sessions s`, where(others, ofValueSql(best)));
  return sql`SELECT k.* FROM ${valuesSql(best)}, LATERAL (${ofValue}) k`;
}

function orderSql(
  key: RawBuilder<unknown>,
  id: RawBuilder<unknown>,
  { ascending }: KeyRange,
): RawBuilder<unknown> {
  const direction = sql.raw(ascending ? "ASC" : "DESC");
  return sql`${key} ${direction}, ${id} ${direction}`;
}
