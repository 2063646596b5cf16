import { type RawBuilder, type SqlBool, sql } from "kysely";

/** A condition of a list: single ones, and what and, or and not make of them. */
export type Condition<Single> =
  | Single
  | { by: "and"; all: readonly Condition<Single>[] }
  | { by: "or"; any: readonly Condition<Single>[] }
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
  const all = condition as { by: "and"; all: readonly Condition<Single>[] };
  const any = condition as { by: "or"; any: readonly Condition<Single>[] };
  const not = condition as { by: "not"; condition: Condition<Single> };
  switch (condition.by) {
    case "and":
      return allOf(all.all.map((each) => conditionSql(each, single)));
    case "or":
      return any.any.length === 0
        ? sql<SqlBool>`false`
        : sql<SqlBool>`(${sql.join(
            any.any.map((each) => conditionSql(each, single)),
            sql` OR `,
          )})`;
    case "not":
      return sql<SqlBool>`NOT ${conditionSql(not.condition, single)}`;
    default:
      return sql<SqlBool>`(${single(condition as Single)})`;
  }
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

/** Single conditions in all, and how deep the deepest lies: 0 at the top of the list. */
export function measure<Single extends { by: string }>(
  conditions: readonly Condition<Single>[],
): { count: number; depth: number } {
  let count = 0;
  let depth = 0;
  const visit = (condition: Condition<Single>, level: number): void => {
    depth = Math.max(depth, level);
    if (condition.by === "and" && "all" in condition)
      for (const each of condition.all) visit(each, level + 1);
    else if (condition.by === "or" && "any" in condition)
      for (const each of condition.any) visit(each, level + 1);
    else if (condition.by === "not" && "condition" in condition) visit(condition.condition, level + 1);
    else count += 1;
  };
  for (const condition of conditions) visit(condition, 0);
  return { count, depth };
}
