import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { humanAdded } from "../support/given.ts";

// JavaScript has the last two the other way round, some locales all of them.
const IDS = ["-", "B", "a", "a b", "ab", "é", "\uE000", "😀"];
/** Before all of them, between two, and after all. */
const STRANGERS = ["!", "aa", "😁"];

type Tamper = { row: "users" | "personal_access_tokens"; id: string; what: "changed" | "missing" };

const tampers = fc.uniqueArray(
  fc.record({
    row: fc.constantFrom<Tamper["row"]>("users", "personal_access_tokens"),
    id: fc.constantFrom(...IDS),
    what: fc.constantFrom<Tamper["what"]>("changed", "missing"),
  }),
  { selector: ({ row, id }) => `${row} ${id}`, maxLength: 6 },
);

describe.each(engines)("rows and log read a page at a time on %s", (engine) => {
  let database: TestDatabase;
  let opened: OpenDatabase;

  beforeAll(async () => {
    database = await createTestDatabase(engine);
    opened = await database.open();
    const events = new EventRepository(opened.db, projections);
    const token = (tokenId: string) => ({
      type: "user.pat.added" as const,
      payload: { tokenId, digest: `digest ${tokenId}`, scopes: [] },
    });
    for (const id of IDS) {
      const history = [humanAdded({ userName: `name ${id}` }), token(`one ${id}`), token(`other ${id}`)];
      await events.append([change(userAggregate, initialUser(id), history, "tester")]);
    }
  });
  afterAll(async () => {
    await opened.close();
    await database.remove();
  });

  it("tell exactly what is wrong, wherever pages end and whatever letters ids are of", async () => {
    await fc.assert(
      fc.asyncProperty(
        tampers,
        fc.subarray(STRANGERS),
        fc.constantFrom(1, 2, 3, 7, 1_000),
        async (changes, strangers, pageSize) => {
          const found = await tampered(changes, strangers, pageSize);
          const expected = [
            ...changes.map(({ row, id, what }) => ({
              table: row,
              key: row === "users" ? id : `one ${id}`,
              column: what === "missing" ? "*" : row === "users" ? "email" : "digest",
            })),
            ...strangers.map((id) => ({ table: "users", key: id, column: "*" })),
          ];
          const sorted = (all: readonly object[]) => all.map((each) => JSON.stringify(each)).sort();
          expect(sorted(found)).toEqual(sorted(expected));
        },
      ),
      { numRuns: 40 },
    );
  });

  /** What is found wrong after these changes; they are undone. */
  async function tampered(changes: readonly Tamper[], strangers: readonly string[], pageSize: number) {
    const backup = await opened.db.selectFrom("users").selectAll().execute();
    const tokens = await opened.db.selectFrom("personalAccessTokens").selectAll().execute();
    for (const { row, id, what } of changes) {
      const key = row === "users" ? id : `one ${id}`;
      if (what === "missing") await sql`DELETE FROM ${sql.table(row)} WHERE id = ${key}`.execute(opened.db);
      else if (row === "users")
        await sql`UPDATE users SET email = 'other' WHERE id = ${key}`.execute(opened.db);
      else
        await sql`UPDATE personal_access_tokens SET digest = 'other ' || id WHERE id = ${key}`.execute(
          opened.db,
        );
    }
    for (const id of strangers) {
      const row = { ...backup[0]!, id, usernameKey: `stranger ${id}` };
      await opened.db
        .insertInto("users")
        .values(asJson(row) as never)
        .execute();
    }
    const { differences } = await verifyProjections(opened.db, projections, { pageSize });
    await sql`DELETE FROM users`.execute(opened.db);
    await sql`DELETE FROM personal_access_tokens`.execute(opened.db);
    await opened.db
      .insertInto("users")
      .values(backup.map(asJson) as never)
      .execute();
    await opened.db.insertInto("personalAccessTokens").values(tokens).execute();
    return differences;
  }
});

/** A row as the drivers take it: documents as text. */
function asJson(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [
      key,
      value !== null && typeof value === "object" && !(value instanceof Date) ? JSON.stringify(value) : value,
    ]),
  );
}
