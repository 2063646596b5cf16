import { type RawBuilder, sql } from "kysely";
import { inSql } from "./conditions.ts";
import type { SessionStatus } from "./session-filter.ts";
import type { ListCondition } from "./session-filter-sql.ts";

/** Whose sessions: all there are, or those of users of these organizations. */
export type CountedOrganizations = "every" | readonly string[];

const columns: Record<SessionStatus, RawBuilder<number>> = {
  active: sql`c.active`,
  expired: sql`c.expired`,
  ended: sql`c.terminated`,
};

/**
 * How many sessions stand so as their rows say, without looking at them: triggers on `sessions` note every change in
 * the transaction it is part of, and compaction adds up what they noted. A snapshot sees each change either by itself or
 * in the sum.
 */
export function keptCountSql(
  statuses: Iterable<SessionStatus>,
  organizations: CountedOrganizations,
): RawBuilder<number> {
  const sum = sql.join(
    [...statuses].map((status) => columns[status]),
    sql` + `,
  );
  const of = (table: "session_counts" | "session_count_changes", all: RawBuilder<unknown>) =>
    sql`SELECT ${sum} AS sessions FROM ${sql.raw(table)} c
      WHERE ${organizations === "every" ? all : inSql(sql`c.organization_id`, organizations)}`;
  return sql<number>`(SELECT coalesce(sum(k.sessions), 0)::bigint FROM (
    ${of("session_counts", sql`c.organization_id = ''`)} UNION ALL ${of("session_count_changes", sql`true`)}) k)`;
}

/** @returns undefined if something else than the organization is asked for */
export function organizationsOf(lists: readonly ListCondition[]): CountedOrganizations | undefined {
  if (lists.some(({ column }) => column !== "organizationId")) return undefined;
  const [first, ...others] = lists.map(({ values }) => values);
  if (first === undefined) return "every";
  return [...new Set(first)].filter((id) => others.every((values) => values.includes(id)));
}
