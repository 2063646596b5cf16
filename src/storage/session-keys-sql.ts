import { type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, inSql, type Sql } from "./conditions.ts";
import type { SessionStatus } from "./session-filter.ts";
import {
  type ListCondition,
  listSql,
  listsOf,
  ofValueSql,
  rankOf,
  reachedSql,
  valuesSql,
} from "./session-filter-sql.ts";
import { actedOnSql, type Moment, pastSql, reachedByAnySql, reasonSql } from "./session-standing-sql.ts";
import type { EndReason, SessionRow } from "./tables.ts";

/** The rows a reader may see: every one, or the reader's own, those the reader made, and those of organizations. */
export type Visibility =
  | "everything"
  | { userId: string; agentId: string | undefined; organizationIds: readonly string[] };

/** Which sessions: those that meet everything here. */
export type Selection = {
  lists: readonly ListCondition[];
  conditions: readonly Sql[];
  visibility: Visibility;
  statuses: ReadonlySet<SessionStatus>;
  reasons: readonly EndReason[] | undefined;
};

/** Which of them, in which order: by `key`, a timestamptz, and id. */
export type KeyRange = {
  key: RawBuilder<unknown>;
  ascending: boolean;
  after?: { at: string; id: string } | undefined;
  offset: number;
  limit: number;
};

// PostgreSQL reads a page out of an index that begins with what is asked for and goes on in the order of creation. It
// does so for one value only, not for one of several, nor for one condition or another. So a list is put together: out
// of parts by how sessions stand, and each part by what the caller may see and by the values of one list, a short read
// each.

/** A part of all sessions: an index has its rows apart from others. */
type Part = {
  conditions: Sql[];
  lists?: ListCondition[];
  /** `acts`: by way of the open acts on users. `expiry`: by way of the order in which sessions expire. */
  by?: "acts" | "expiry";
  /** Whether another part may have some of its rows too. */
  overlaps?: true;
};

/** `id` and `at` of a page of sessions, each once. */
export function keysSql(selection: Selection, moment: Moment, range: KeyRange): RawBuilder<unknown> {
  return mergedSql(partsOf(selection, moment), selection, moment, range);
}

/** The number of all sessions. @param upTo is enough; undefined: counts to the end */
export function countSql(selection: Selection, moment: Moment, upTo?: number): RawBuilder<number> {
  const { statuses, reasons } = selection;
  const range = { key: sql`s.created_at`, ascending: false, offset: 0, limit: upTo };
  const count = (parts: Part[]) =>
    sql<number>`(SELECT count(*) FROM (${mergedSql(parts, selection, moment, range)}) k)`;
  const isShown = statuses.size === 2 && !statuses.has("ended") && reasons === undefined;
  if (upTo !== undefined || !isShown) return count(partsOf(selection, moment));
  // What the rows themselves say can be counted in an index; the few that are over and do not say so come off.
  const stored = allOf([
    stands("active", "expired"),
    ...selection.lists.map(listSql),
    ...selection.conditions,
    visibleSql(selection.visibility),
  ]);
  return sql<number>`(SELECT count(*) FROM sessions s WHERE ${stored}) - ${count(overdueParts(moment))}`;
}

function partsOf({ statuses, reasons }: Selection, moment: Moment): Part[] {
  const active = statuses.has("active") && reasons === undefined;
  const expired = statuses.has("expired") && (reasons?.includes("expired") ?? true);
  const ended = statuses.has("ended");
  const notActedOn = sql<SqlBool>`NOT ${actedOnSql(moment)}`;
  const goingOn = [notActedOn, sql<SqlBool>`NOT ${reachedByAnySql(moment)}`];
  const past = pastSql(moment);
  const parts: Part[] = [];
  if (ended) {
    const why = reasons ? [{ column: "reason" as const, values: reasons }] : [];
    parts.push({ conditions: [sql<SqlBool>`s.is_archived`], lists: why });
    parts.push({ conditions: [stands("terminated")] });
  }
  if (expired) parts.push({ conditions: [stands("expired"), ...(ended ? [] : [notActedOn])] });
  if (active && expired) parts.push({ conditions: [stands("active"), ...(ended ? [] : goingOn)] });
  else if (active) parts.push({ conditions: [stands("active"), ...goingOn, sql<SqlBool>`NOT ${past}`] });
  else if (expired) parts.push({ conditions: [stands("active"), ...goingOn, past], by: "expiry" });
  // Few at any time, so they are looked for by what has ended them and not among those it has not.
  if (ended && !(active && expired)) parts.push(...overdueParts(moment));
  return parts;
}

/** The sessions in view that an act has ended, and that have no event of it yet. */
function overdueParts({ endings, hasOpenActs }: Moment): Part[] {
  const reached: Part[] = endings.map((ending) => ({
    conditions: [stands("active"), reachedSql(ending)],
    lists: listsOf(ending.filter),
    overlaps: true,
  }));
  const acted: Part = { conditions: [stands("active", "expired")], by: "acts", overlaps: true };
  return hasOpenActs ? [acted, ...reached] : reached;
}

/** In view, and so as their rows say. */
function stands(...statuses: SessionRow["status"][]): Sql {
  const status = statuses.map((each) => sql.lit(each));
  return statuses.length === 1
    ? sql<SqlBool>`NOT s.is_archived AND s.status = ${status[0]}`
    : sql<SqlBool>`NOT s.is_archived AND s.status IN (${sql.join(status)})`;
}

function mergedSql(
  parts: readonly Part[],
  selection: Selection,
  moment: Moment,
  range: UnboundRange,
): RawBuilder<unknown> {
  const reads = parts.flatMap((part) => readsOf(part, selection, moment, range));
  if (reads.length === 0) return sql`SELECT s.id, s.created_at AS at FROM sessions s WHERE false`;
  const isEachOnce = reads.length === parts.length && !parts.some(({ overlaps }) => overlaps);
  const all = sql.join(
    reads.map((read) => sql`(${read})`),
    isEachOnce ? sql` UNION ALL ` : sql` UNION `,
  );
  const { offset, limit } = range;
  return limit === undefined
    ? all
    : sql`SELECT k.id, k.at FROM (${all}) k ORDER BY ${orderSql(sql`k.at`, sql`k.id`, range)} LIMIT ${limit} OFFSET ${offset}`;
}

type UnboundRange = Omit<KeyRange, "limit"> & { limit: number | undefined };

/** A short read for each way a caller may see sessions, or a single one where few are looked at anyway. */
function readsOf(
  part: Part,
  selection: Selection,
  moment: Moment,
  range: UnboundRange,
): RawBuilder<unknown>[] {
  const lists = [...selection.lists, ...(part.lists ?? [])];
  const read = (more: ListCondition[], condition?: Sql) => {
    const conditions = [...part.conditions, ...selection.conditions, ...(condition ? [condition] : [])];
    // The archived ones are found by their reason; the reason of others may have to be worked out.
    if (selection.reasons && !part.lists?.some(({ column }) => column === "reason")) {
      conditions.push(inSql(reasonSql(moment), selection.reasons));
    }
    return readSql({ ...part, lists: [...lists, ...more], conditions }, moment, range);
  };
  const branches = branchesOf(selection.visibility);
  if (branches === undefined) return [read([])];
  if (part.by !== undefined || lists.some(isNarrow) || range.limit === undefined) {
    return [read([], visibleSql(selection.visibility))];
  }
  return branches.map((branch) => read([branch]));
}

function readSql(
  part: Required<Pick<Part, "lists">> & Part,
  { now }: Moment,
  range: UnboundRange,
): RawBuilder<unknown> {
  const { lists, conditions, by } = part;
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

  if (by === "acts") {
    const ofAct = sql<SqlBool>`s.user_id = act.user_id AND s.user_epoch = act.epoch`;
    return sql`SELECT k.* FROM user_endings act, LATERAL (${select(sql`sessions s`, where(lists, ofAct))}) k
      WHERE NOT act.is_done`;
  }
  if (by === "expiry" && !lists.some(isNarrow)) {
    // Those that have expired and not been found yet are few, which no statistics tell. A limit that is not known before
    // the statement runs has PostgreSQL go by the order it is asked for.
    const past = sql`(SELECT * FROM sessions s WHERE ${stands("active")} AND s.expires_at < ${now}
      ORDER BY s.expires_at, s.id LIMIT (SELECT 9223372036854775807)) s`;
    return select(past, where(lists));
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
  { ascending }: UnboundRange,
): RawBuilder<unknown> {
  const direction = sql.raw(ascending ? "ASC" : "DESC");
  return sql`${key} ${direction}, ${id} ${direction}`;
}

/** Whether few sessions are expected to have one of the values. */
function isNarrow({ column }: ListCondition): boolean {
  return column === "id" || column === "userId" || column === "fingerprintId";
}

/** The ways in which a reader may see a session; undefined: sees all. */
function branchesOf(visibility: Visibility): ListCondition[] | undefined {
  if (visibility === "everything") return undefined;
  const { userId, agentId, organizationIds } = visibility;
  const branches: ListCondition[] = [
    { column: "userId", values: [userId] },
    { column: "creatorId", values: [userId] },
  ];
  if (agentId !== undefined) branches.push({ column: "fingerprintId", values: [agentId] });
  if (organizationIds.length > 0) branches.push({ column: "organizationId", values: organizationIds });
  return branches;
}

function visibleSql(visibility: Visibility): Sql {
  const branches = branchesOf(visibility);
  return branches ? sql<SqlBool>`(${sql.join(branches.map(listSql), sql` OR `)})` : sql<SqlBool>`true`;
}
