import { type SqlBool, sql } from "kysely";
import type { Sql } from "./conditions.ts";
import { type ListCondition, listSql } from "./session-filter-sql.ts";

/** The rows a reader may see: every one, or the reader's own, those the reader made, and those of organizations. */
export type Visibility =
  | "everything"
  | { userId: string; agentId: string | undefined; organizationIds: readonly string[] };

/** The ways in which a reader may see a session, the one with the most of them first. Undefined: sees all. */
export function waysToSee(visibility: Visibility): ListCondition[] | undefined {
  if (visibility === "everything") return undefined;
  const { userId, agentId, organizationIds } = visibility;
  const ways: ListCondition[] = [
    { column: "creatorId", values: [userId] },
    { column: "userId", values: [userId] },
  ];
  if (organizationIds.length > 0) ways.unshift({ column: "organizationId", values: organizationIds });
  if (agentId !== undefined) ways.push({ column: "fingerprintId", values: [agentId] });
  return ways;
}

export function visibleSql(visibility: Visibility): Sql {
  const ways = waysToSee(visibility);
  return ways ? sql<SqlBool>`(${sql.join(ways.map(listSql), sql` OR `)})` : sql<SqlBool>`true`;
}
