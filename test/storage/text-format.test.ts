import fc from "fast-check";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { arrayLiteral, parseTimestamp } from "../../src/storage/text-format.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";

const driversTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

describe("the text PostgreSQL reads and writes", () => {
  let database: TestDatabase;
  let opened: OpenDatabase;
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    opened = await database.open();
  });
  afterAll(async () => {
    await opened.close();
    await database.remove();
  });

  it("holds every array as it was given", async () => {
    const text = fc.string({ unit: "binary" }).filter((each) => !each.includes("\0") && each.isWellFormed());
    const odd = fc.constantFrom(
      "",
      "NULL",
      "null",
      '"',
      "\\",
      '\\"',
      "{a,b}",
      " a ",
      "\n\t",
      "\u2028",
      'é\u0001"',
    );
    const texts = fc.array(fc.option(fc.oneof(text, odd)));
    const numbers = fc.array(fc.option(fc.maxSafeInteger()));
    const flags = fc.array(fc.option(fc.boolean()));
    await fc.assert(
      fc.asyncProperty(texts, numbers, flags, async (...arrays) => {
        const [t, n, f] = arrays.map(arrayLiteral);
        const { rows } = await sql<{ t: unknown; n: unknown; f: unknown }>`
          SELECT ${t}::text[] AS t, ${n}::bigint[]::text[] AS n, ${f}::boolean[] AS f`.execute(opened.db);
        const { t: readTexts, n: readNumbers, f: readFlags } = rows[0]!;
        const written = arrays[1].map((each) => (each === null ? null : String(each)));
        expect([readTexts, readNumbers, readFlags]).toEqual([arrays[0], written, arrays[2]]);
      }),
    );
  });

  it("is left to the driver for arrays of anything else", () => {
    expect(arrayLiteral(["a", new Date()])).toBeUndefined();
    expect(arrayLiteral([["a"]])).toBeUndefined();
    expect(arrayLiteral([undefined])).toBeUndefined();
  });

  it("becomes the moment the driver reads in it, in any zone and any year", async () => {
    const zones = fc.constantFrom("UTC", "Asia/Kathmandu", "America/New_York", "Europe/Berlin");
    const micros = fc.oneof(
      fc.integer({ min: -80_000_000_000, max: 260_000_000_000 }).map((seconds) => seconds * 1_000_000),
      fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      fc
        .integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 })
        .map((milliseconds) => milliseconds * 1_000),
    );
    await fc.assert(
      fc.asyncProperty(zones, micros, async (zone, at) => {
        const text = await opened.db.transaction().execute(async (trx) => {
          await sql`SELECT set_config('TimeZone', ${zone}, true)`.execute(trx);
          const { rows } = await sql<{ text: string }>`
            SELECT (timestamptz 'epoch' + ${Math.trunc(at / 1e6)}::bigint * interval '1 second'
              + ${at % 1e6}::int * interval '1 microsecond')::text AS text`.execute(trx);
          return rows[0]!.text;
        });
        expect(parseTimestamp(text)).toEqual(driversTimestamp(text));
      }),
      { numRuns: 300 },
    );
  });

  it("also tells eternity", () => {
    expect(parseTimestamp("infinity")).toBe(Number.POSITIVE_INFINITY);
    expect(parseTimestamp("-infinity")).toBe(Number.NEGATIVE_INFINITY);
  });
});
