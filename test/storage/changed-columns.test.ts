import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { APPEND_TIME, type Change } from "../../src/storage/aggregate.ts";
import { changedColumns, sentColumns } from "../../src/storage/changed-columns.ts";
import type { Row, RowTable } from "../../src/storage/row-table.ts";

const table: RowTable = {
  name: "things",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["a", "text"],
    ["b", "jsonb"],
    ["c", "time"],
    ["d", "time"],
    ["e", "time"],
  ],
};
const fields = ["a", "b", "c", "d", "e"];

const stored = new Date("2026-07-10T09:00:00.000Z");
const later = new Date("2026-07-10T10:00:00.000Z");
const values: Record<string, readonly unknown[]> = {
  a: [null, "x", "y"],
  b: [null, { x: 1 }],
};
const times = [null, stored, later, APPEND_TIME, new Date(APPEND_TIME.getTime() + 60_000)];

/** What becomes of the fields; `undefined`: one stays as it is. */
const change: fc.Arbitrary<Change> = fc
  .record({
    next: fc.record(
      Object.fromEntries(
        fields.map((field) => [
          field,
          fc.option(fc.constantFrom(...(values[field] ?? times)), { nil: undefined }),
        ]),
      ),
    ),
    isStored: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  })
  .map(({ next, isStored }) => {
    const before = { id: "one", sequence: 3, a: "x", b: { x: 1 }, c: stored, d: stored, e: null };
    const given = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined));
    return {
      ...{ type: "session", id: "one", expectedSequence: 3, events: [] },
      before: isStored ? before : { ...before, sequence: 2 },
      state: { ...before, ...given, sequence: 4 },
    };
  });

describe("the columns an update sets", () => {
  it("make of every stored row what it is to become, in few sets, and are all where the row is not known", () => {
    const keys = new Set<string>();
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const set = changedColumns(table, changes);
        keys.add(set.key);
        for (const { before, state } of changes) {
          const after = state as unknown as Row;
          const row: Row = { ...before };
          for (const { column, isNow } of set.columns) {
            const [name] = column;
            // To compare with: what the column is set to, by a value that is sent or by the append's time.
            row[name] = isNow ? APPEND_TIME : after[name];
          }
          if (before!.sequence === 3) expect(row).toEqual(after);
          else expect(sentColumns(set)).toHaveLength(table.columns.length - 1);
        }
      }),
      { numRuns: 2_000 },
    );
    // Each is a statement that every connection keeps.
    expect(keys.size).toBeLessThanOrEqual(17);
    expect(keys.size).toBeGreaterThan(10);
  });
});
