/**
 * How the store writes a row: `time` columns take milliseconds since the epoch (or an offset from the append, see
 * `APPEND_TIME`), the others their PostgreSQL type.
 */
export type ColumnType = "text" | "bigint" | "boolean" | "jsonb" | "time";

/** A table the store keeps in step with the log. The first `keyColumns` columns are its primary key. */
export type RowTable = {
  name: string;
  columns: readonly (readonly [name: string, type: ColumnType])[];
  keyColumns: number;
  /** Columns a later put of the same key leaves as they are. */
  insertOnly?: readonly string[];
  /** Columns the database computes of the others: read, never written. */
  computed?: readonly string[];
  /** Stored rows that an append must leave as they are: SQL on `r`; and the new rows that may come all the same. */
  frozen?: { when: string; exempt(row: Row): boolean };
};

/** A row as the domain sees it: camelCase fields, `Date` for times, plain values for `jsonb`. */
export type Row = Record<string, unknown>;

/** `user_org_id` → `userOrgId`. */
export function fieldName(column: string): string {
  return column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `s.id AS "id", s.user_id AS "userId", …`: a select list that yields rows in the domain's shape. */
export function selectList(table: RowTable, alias: string): string {
  const names = [...table.columns.map(([name]) => name), ...(table.computed ?? [])];
  return names.map((name) => `${alias}.${name} AS "${fieldName(name)}"`).join(", ");
}
