import { APPEND_TIME, type Change } from "./aggregate.ts";
import { fieldName, type Row, type RowTable } from "./row-table.ts";
import { NOW, value } from "./row-values.ts";

/** A column that an update sets. `isNow`: to the append's time in every row, so that no values need to be sent. */
export type SetColumn = { column: RowTable["columns"][number]; isNow: boolean };

/** Columns to be set; those of equal `key` are the same. */
export type SetColumns = { key: string; columns: readonly SetColumn[] };

/**
 * Each set of columns is a statement of its own that every connection keeps a plan of. Most commands come down to few
 * sets; whoever comes after so many makes do with one of them, or writes the whole row.
 */
const MAX_SETS = 16;
const sets = new Map<RowTable, Map<string, SetColumns>>();

/**
 * The columns that differ in any of these changes of stored rows from what is stored. To write the others costs twice
 * the rest of the update: each value is sent, parsed and compared.
 */
export function changedColumns(table: RowTable, changes: readonly Change[]): SetColumns {
  const columns = table.columns.slice(table.keyColumns);
  const whole = "v".repeat(columns.length);
  const key = changes.every(isComparable)
    ? columns.map(([name]) => marked(changes, fieldName(name))).join("")
    : whole;
  const known = sets.get(table) ?? new Map<string, SetColumns>();
  sets.set(table, known);
  const marks = known.has(key) || known.size < MAX_SETS ? key : (leastCovering(known.keys(), key) ?? whole);
  const made = known.get(marks) ?? { key: marks, columns: markedColumns(columns, marks) };
  known.set(marks, made);
  return made;
}

/** Of the sets that will do for this one the one that sends the fewest values: any value may be sent, changed or not. */
function leastCovering(sets: Iterable<string>, key: string): string | undefined {
  const covering = [...sets].filter((marks) =>
    [...marks].every((mark, index) => mark === "v" || mark === key[index]),
  );
  const sent = (marks: string) => marks.split("v").length;
  return covering.sort((a, b) => sent(a) - sent(b))[0];
}

function markedColumns(columns: RowTable["columns"], marks: string): SetColumn[] {
  return columns.flatMap((column, index) =>
    marks[index] === "-" ? [] : [{ column, isNow: marks[index] === "n" }],
  );
}

/** `sequence = n.sequence, …` */
export function assignments({ columns }: SetColumns): string {
  return columns.map(({ column, isNow }) => `${column[0]} = ${isNow ? NOW : value(column)}`).join(", ");
}

/** The columns whose values are sent. */
export function sentColumns({ columns }: SetColumns): RowTable["columns"] {
  return columns.filter(({ isNow }) => !isNow).map(({ column }) => column);
}

/** A state of another sequence than the expected one is not what is stored. */
function isComparable({ before, expectedSequence }: Change): boolean {
  return before?.sequence === expectedSequence;
}

/** `-`: nowhere changed, `n`: the append's time everywhere, `v`: other values. */
function marked(changes: readonly Change[], field: string): "-" | "n" | "v" {
  let isNow = true;
  let isChanged = false;
  for (const { before, state } of changes) {
    const after = (state as unknown as Row)[field];
    const offset = after instanceof Date ? after.getTime() - APPEND_TIME.getTime() : Number.NaN;
    // A state that is carried on as it was folded has such times already, of an append before this one.
    if (after !== (before as unknown as Row)[field] || offset >= 0) isChanged = true;
    if (offset !== 0) isNow = false;
    if (isChanged && !isNow) return "v";
  }
  return isChanged ? "n" : "-";
}
