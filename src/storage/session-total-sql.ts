import { type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, type Sql } from "./conditions.ts";
import { keptCountSql, organizationsOf } from "./session-counts-sql.ts";
import type { SessionStatus } from "./session-filter.ts";
import { type ListCondition, listSql } from "./session-filter-sql.ts";
import { mergedSql } from "./session-keys-sql.ts";
import {
  isNarrow,
  overdueParts,
  type Part,
  partsOf,
  type Selection,
  stands,
  unsweptPart,
} from "./session-parts-sql.ts";
import type { Moment } from "./session-standing-sql.ts";
import { visibleSql, waysToSee } from "./session-visibility-sql.ts";

/** The number of all sessions. @param upTo is enough; undefined: counts to the end */
export function countSql(selection: Selection, moment: Moment, upTo?: number): RawBuilder<number> {
  const { statuses, reasons, visibility } = selection;
  // Of what is kept the whole number costs less than looking whether there are more than so many.
  const isKept = areKept(selection, selection.lists);
  const isWholeWanted = upTo === undefined || (isKept && visibility === "everything");
  const limit = isWholeWanted ? undefined : upTo;
  const range = { key: sql`s.created_at`, ascending: false, offset: 0, limit };
  const count = (parts: Part[]) =>
    sql<number>`(SELECT count(*) FROM (${mergedSql(parts, selection, moment, range)}) k)`;
  if (!isWholeWanted || reasons !== undefined || statuses.size === 0)
    return count(partsOf(selection, moment));

  // What the rows themselves say is kept or can be counted in an index; the few that stand otherwise, and whose rows do
  // not say so yet, come on top or off.
  const [active, expired, ended] = (["active", "expired", "ended"] as const).map((each) =>
    statuses.has(each),
  );
  if (active && expired) {
    if (!ended) return sql<number>`${storedSql(selection)} - ${count(overdueParts(moment))}`;
    if (isKept) return storedSql(selection);
  }
  const isQuiet = moment.endings.length === 0 && !moment.hasOpenActs;
  if (!isKept || !isQuiet) return count(partsOf(selection, moment));
  if (active === expired) return storedSql(selection);
  return sql<number>`${storedSql(selection)} ${sql.raw(active ? "-" : "+")} ${count([unsweptPart(moment)])}`;
}

/** How many sessions stand so as far as their rows say: by each way to see them, those of the ways before left out. */
function storedSql(selection: Selection): RawBuilder<number> {
  const { lists, conditions, visibility, statuses } = selection;
  const ways = lists.some(isNarrow) ? undefined : waysToSee(visibility);
  if (ways === undefined) {
    if (visibility === "everything" && areKept(selection, lists)) return keptSql(statuses, lists);
    return rowsSql(statuses, [...lists.map(listSql), ...conditions, visibleSql(visibility)]);
  }
  const counts = ways.map((way, index) => {
    const asked = [...lists, way];
    if (index === 0 && areKept(selection, asked)) return keptSql(statuses, asked);
    const before = ways.slice(0, index).map((each) => sql<SqlBool>`${listSql(each)} IS NOT TRUE`);
    return rowsSql(statuses, [...asked.map(listSql), ...conditions, ...before]);
  });
  return sql<number>`(${sql.join(counts, sql` + `)})`;
}

/** Whether the number of sessions on these lists is kept by organization. */
function areKept({ conditions }: Selection, lists: readonly ListCondition[]): boolean {
  return conditions.length === 0 && organizationsOf(lists) !== undefined;
}

function keptSql(statuses: ReadonlySet<SessionStatus>, lists: readonly ListCondition[]): RawBuilder<number> {
  return keptCountSql(statuses, organizationsOf(lists)!);
}

/** Those in view and those an act ended have their own indexes. */
function rowsSql(statuses: ReadonlySet<SessionStatus>, conditions: readonly Sql[]): RawBuilder<number> {
  const inView = (["active", "expired"] as const).filter((status) => statuses.has(status));
  const kinds = [
    ...(inView.length > 0 ? [stands(...inView)] : []),
    ...(statuses.has("ended") ? [stands("terminated")] : []),
  ];
  const counts = kinds.map(
    (kind) => sql`(SELECT count(*) FROM sessions s WHERE ${allOf([kind, ...conditions])})`,
  );
  return sql<number>`(${sql.join(counts, sql` + `)})`;
}
