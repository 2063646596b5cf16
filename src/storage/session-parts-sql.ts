import { type SqlBool, sql } from "kysely";
import type { Sql } from "./conditions.ts";
import type { SessionStatus } from "./session-filter.ts";
import { type ListCondition, listsOf, reachedSql } from "./session-filter-sql.ts";
import { actedOnSql, type Moment, pastSql, reachedByAnySql } from "./session-standing-sql.ts";
import type { Visibility } from "./session-visibility-sql.ts";
import type { EndReason, SessionRow } from "./tables.ts";

/** Which sessions: those that meet everything here. */
export type Selection = {
  lists: readonly ListCondition[];
  conditions: readonly Sql[];
  /** One of the conditions, if it is on when a session expires. `orNever`: it holds for those that do not, too. */
  expiry?: { condition: Sql; orNever: boolean } | undefined;
  visibility: Visibility;
  statuses: ReadonlySet<SessionStatus>;
  reasons: readonly EndReason[] | undefined;
};

/** A part of all sessions: an index has its rows apart from others. */
export type Part = {
  conditions: Sql[];
  lists?: ListCondition[];
  /** Looked for by way of the open acts on users. */
  isByActs?: true;
  /** Looked for in the order they expire in, among the sessions of this condition. */
  among?: Sql | undefined;
  /** Whether another part may have some of its rows too. */
  overlaps?: true;
};

/** What a selection is put together of: by how sessions stand, as far as their rows say. */
export function partsOf(selection: Selection, moment: Moment): Part[] {
  const { statuses, reasons } = selection;
  const active = statuses.has("active") && reasons === undefined;
  const expired = statuses.has("expired") && (reasons?.includes("expired") ?? true);
  const ended = statuses.has("ended");
  const notActedOn = sql<SqlBool>`NOT ${actedOnSql(moment)}`;
  const goingOn = [notActedOn, sql<SqlBool>`NOT ${reachedByAnySql(moment)}`];
  const past = pastSql(moment);
  const parts: Part[] = [];
  if (ended) {
    const why = reasons ? [{ column: "reason" as const, values: reasons }] : [];
    parts.push({ conditions: [stands("terminated")], lists: why });
  }
  if (expired) {
    const among = amongExpiring(selection, "expired");
    parts.push({ conditions: [stands("expired"), ...(ended ? [] : [notActedOn])], among });
  }
  if (active) {
    const which = expired ? (ended ? [] : goingOn) : [...goingOn, sql<SqlBool>`NOT ${past}`];
    parts.push({ conditions: [stands("active"), ...which], among: amongExpiring(selection, "active") });
  } else if (expired) {
    parts.push(unsweptPart(moment, goingOn));
  }
  // Few at any time, so they are looked for by what has ended them and not among those it has not.
  if (ended && !(active && expired)) parts.push(...overdueParts(moment, reasons));
  return parts;
}

/** The sessions in view that an act has ended, and that have no event of it yet. */
export function overdueParts(
  { endings, hasOpenActs }: Moment,
  reasons: readonly EndReason[] = ["ended_by_filter"],
): Part[] {
  // What a bulk ending reaches has that as its reason, unless an act on the user came first.
  const isWanted = reasons.includes("ended_by_filter");
  const reached: Part[] = (isWanted ? endings : []).map((ending) => ({
    conditions: [stands("active"), reachedSql(ending)],
    lists: listsOf(ending.filter),
    overlaps: true,
  }));
  const acted: Part = { conditions: [stands("active", "expired")], isByActs: true, overlaps: true };
  return hasOpenActs ? [acted, ...reached] : reached;
}

/** The sessions that have expired and were not found yet: few, which no statistics tell. */
export function unsweptPart(moment: Moment, goingOn: readonly Sql[] = []): Part {
  const among = sql<SqlBool>`${stands("active")} AND s.expires_at < ${moment.now}`;
  return { conditions: [stands("active"), ...goingOn, pastSql(moment)], among };
}

/** Whether few sessions are expected to have one of the values. */
export function isNarrow({ column }: ListCondition): boolean {
  return column === "id" || column === "userId" || column === "fingerprintId";
}

/** As their rows say. */
export function stands(...statuses: SessionRow["status"][]): Sql {
  const status = statuses.map((each) => sql.lit(each));
  return statuses.length === 1
    ? sql<SqlBool>`s.status = ${status[0]}`
    : sql<SqlBool>`s.status IN (${sql.join(status)})`;
}

// When sessions were created and when they expire goes together: in the order of creation, those that expire before a
// time may come after all others. In the order of expiration a page costs reading what there is in the list as a whole,
// which its total costs anyway.
function amongExpiring(
  { lists, visibility, expiry }: Selection,
  status: "active" | "expired",
): Sql | undefined {
  if (expiry === undefined || lists.length > 0 || visibility !== "everything") return undefined;
  if (status === "active" && expiry.orNever) return undefined;
  return sql<SqlBool>`${stands(status)} AND ${expiry.condition}`;
}
