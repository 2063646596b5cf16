import { type RawBuilder, type SqlBool, sql } from "kysely";
import { DomainError, type ErrorSlug } from "../errors.ts";

/** A condition of a list: single ones, and what and, or and not make of them. */
export type Condition<Single> = Single | Combined<Single>;

type Combined<Single> =
  | { by: "and" | "or"; conditions: readonly Condition<Single>[] }
  | { by: "not"; condition: Condition<Single> };

/** How a stored text compares to a given one; the stored one stands on the left. */
export type TextMatch = {
  text: string;
  method: "equals" | "startsWith" | "contains" | "endsWith";
  ignoreCase: boolean;
};

export type Comparison = "=" | ">" | ">=" | "<" | "<=";

export type Sql = RawBuilder<SqlBool>;

/** @param single the SQL of a single condition; it must be true or false, never null, or `not` would lose rows */
export function conditionSql<Single extends { by: string }>(
  condition: Condition<Single>,
  single: (condition: Single) => Sql,
): Sql {
  if (!isCombined(condition)) return sql<SqlBool>`(${single(condition)})`;
  if (condition.by === "not") return sql<SqlBool>`NOT ${conditionSql(condition.condition, single)}`;
  const parts = condition.conditions.map((each) => conditionSql(each, single));
  if (condition.by === "and") return allOf(parts);
  return parts.length === 0 ? sql<SqlBool>`false` : sql<SqlBool>`(${sql.join(parts, sql` OR `)})`;
}

function isCombined<Single extends { by: string }>(
  condition: Condition<Single>,
): condition is Combined<Single> {
  return condition.by === "and" || condition.by === "or" || condition.by === "not";
}

/** True if all are, also if there are none. */
export function allOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0
    ? sql<SqlBool>`true`
    : sql<SqlBool>`(${sql.join([...conditions], sql` AND `)})`;
}

/** @param column an expression that is never null */
export function textSql(column: RawBuilder<unknown>, { text, method, ignoreCase }: TextMatch): Sql {
  const left = ignoreCase ? sql`lower(${column})` : column;
  const right = (value: string) => (ignoreCase ? sql`lower(${value}::text)` : sql`${value}::text`);
  if (method === "equals") return sql<SqlBool>`${left} = ${right(text)}`;
  const escaped = text.replace(/[\\%_]/g, "\\$&");
  const pattern = `${method === "startsWith" ? "" : "%"}${escaped}${method === "endsWith" ? "" : "%"}`;
  return sql<SqlBool>`${left} LIKE ${right(pattern)}`;
}

/** @param column an expression of type timestamptz that is never null */
export function timeSql(column: RawBuilder<unknown>, comparison: Comparison, at: Date): Sql {
  return sql<SqlBool>`${column} ${sql.raw(comparison)} ${at}`;
}

export function inSql(column: RawBuilder<unknown>, values: readonly string[]): Sql {
  return sql<SqlBool>`${column} = ANY(${[...values]}::text[])`;
}

/** A query of more conditions than this is no question a person asked. */
const MAX_CONDITIONS = 1_000;
const MAX_DEPTH = 20;

/**
 * Refuses a query nobody should have the database plan.
 * @param conditions the top of the list is level 0
 * @throws DomainError `tooDeep` below level 20, `list.query_too_large` above 1000 conditions
 */
export function checkConditions<Single extends { by: string }>(
  conditions: readonly Condition<Single>[],
  tooDeep: ErrorSlug,
): void {
  let count = 0;
  const visit = (condition: Condition<Single>, level: number): void => {
    count += 1;
    if (level > MAX_DEPTH) throw new DomainError(tooDeep);
    if (count > MAX_CONDITIONS) throw new DomainError("list.query_too_large");
    if (!isCombined(condition)) return;
    const inner = condition.by === "not" ? [condition.condition] : condition.conditions;
    for (const each of inner) visit(each, level + 1);
  };
  for (const condition of conditions) visit(condition, 0);
}
