import { APPEND_TIME } from "./aggregate.ts";
import type { ColumnType, RowTable } from "./row-table.ts";

export type Statement = { sql: string; parameters: unknown[] };

/** The append's time: the transaction's, in whole milliseconds as the domain's dates are. */
export const NOW = "date_trunc('milliseconds', now())";

/** Times travel as milliseconds, so that an offset from the append is a number like any other. */
export function parameterType(type: ColumnType): string {
  return type === "time" ? "bigint" : type;
}

/**
 * An array parameter, read through a subselect, so that the planner never sees the values: seeing them, it finds a plan
 * made for one batch's size a little cheaper and makes a new one for every batch, which costs three times its worth.
 */
export function arrayParameter(number: number, type: string): string {
  return `(SELECT $${number}::${type}[])::${type}[]`;
}

/** What the driver is given for a column's value. */
export function encode(value: unknown, type: ColumnType): unknown {
  if (value === null || value === undefined) return null;
  if (type === "jsonb") return JSON.stringify(value);
  return value instanceof Date ? value.getTime() : value;
}

/** A column's value out of a source of parameters named `n`. */
export function value([name, type]: RowTable["columns"][number]): string {
  if (type !== "time") return `n.${name}`;
  const base = APPEND_TIME.getTime();
  return `CASE WHEN n.${name} >= ${base} THEN ${NOW} + ${duration(`(n.${name} - ${base})`)} ELSE timestamptz 'epoch' + ${duration(`n.${name}`)} END`;
}

// An interval times a number is computed in floating point, which is exact only up to 2^53 microseconds (285 years):
// whole days and the rest each stay exact. 24 hours, not a day: a day's length depends on the session's time zone.
function duration(milliseconds: string): string {
  return `(${milliseconds} / 86400000 * interval '24 hours' + ${milliseconds} % 86400000 * interval '1 millisecond')`;
}
