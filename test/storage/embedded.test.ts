import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type OpenDatabase, openPglite } from "../../src/storage/database.ts";
import { limitWal } from "../../src/storage/embedded/checkpoints.ts";
import { openEngine } from "../../src/storage/embedded/engine.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";

/** Several hundred milliseconds of PostgreSQL's time. */
const HEAVY = sql<{
  sum: number;
}>`SELECT sum(length(md5(i::text)))::int AS sum FROM generate_series(1, 150000) i`;

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  );

describe("the embedded database in its thread", () => {
  let database: TestDatabase;
  let directory: string;
  let opened: OpenDatabase;
  let deaths: Error[];

  const open = () => openPglite(directory, (reason) => deaths.push(reason));

  beforeAll(async () => {
    database = await createTestDatabase("pglite");
    directory = join(database.config.dataDir!, "pglite");
    deaths = [];
    opened = await open();
    await sql`CREATE TABLE counters (id text CONSTRAINT counters_id PRIMARY KEY, value int, secret bytea)`.execute(
      opened.db,
    );
  });
  afterAll(async () => {
    await opened.close();
    await database.remove();
  });

  const counted = async (id: string) =>
    (await sql<{ value: number }>`SELECT value FROM counters WHERE id = ${id}`.execute(opened.db)).rows[0]
      ?.value;
  const put = (id: string, value: number) =>
    sql`INSERT INTO counters VALUES (${id}, ${value}, ${Buffer.from("a digest")})`.execute(opened.db);

  it("leaves the event loop alone while it carries out a heavy statement", async () => {
    let [turns, done] = [0, false];
    const sum = HEAVY.execute(opened.db).finally(() => {
      done = true;
    });
    for (; !done; turns++) await turn();
    expect((await sum).rows).toEqual([{ sum: 32 * 150_000 }]);
    expect(turns).toBeGreaterThan(100);
  });

  it("gives back what it was given, of every type", async () => {
    const at = new Date("2026-07-10T09:00:00.123Z");
    const json = { nested: [1, "two", { "a key": null }] };
    const values = sql`SELECT ${at}::timestamptz AS at, ${JSON.stringify(json)}::jsonb AS json, ${["a,b", '"c"', "d\\"]}::text[] AS texts,
      ${Buffer.from([0, 255, 10])}::bytea AS bytes, ${2 ** 40}::int8 AS large, ${true}::bool AS flag, ${null}::text AS nothing`;
    expect((await values.execute(opened.db)).rows).toEqual([
      {
        at,
        json,
        texts: ["a,b", '"c"', "d\\"],
        bytes: Uint8Array.from([0, 255, 10]),
        large: 2 ** 40,
        flag: true,
        nothing: null,
      },
    ]);
  });

  it("counts what a statement changed", async () => {
    await put("one", 1);
    await put("two", 2);
    const { numAffectedRows } = await sql`UPDATE counters SET value = 3 WHERE id IN ('one', 'two')`.execute(
      opened.db,
    );
    expect(numAffectedRows).toBe(2n);
  });

  it("tells the SQLSTATE and the constraint of an error, and no value of the statement", async () => {
    await put("hush-hush", 1);
    const failure = await failureOf(put("hush-hush", 2));
    expect(failure).toMatchObject({ code: "23505", constraint: "counters_id", table: "counters" });
    const all = JSON.stringify(failure, Object.getOwnPropertyNames(failure));
    expect(all).toContain("duplicate key value");
    for (const value of ["hush-hush", "INSERT", Buffer.from("a digest").toString("hex")])
      expect(all).not.toContain(value);
  });

  it("takes an error outside of a transaction for the end of nothing", async () => {
    expect(await failureOf(sql`SELECT 1 / 0`.execute(opened.db))).toMatchObject({ code: "22012" });
    await put("after", 1);
    expect(await counted("after")).toBe(1);
    expect(deaths).toEqual([]);
  });

  it("carries out one transaction at a time, and nothing else meanwhile", async () => {
    await put("shared", 0);
    const add = () =>
      opened.db.transaction().execute(async (transaction) => {
        const { rows } = await sql<{ value: number }>`SELECT value FROM counters WHERE id = 'shared'`.execute(
          transaction,
        );
        await sql`UPDATE counters SET value = ${-1} WHERE id = 'shared'`.execute(transaction);
        await turn();
        await sql`UPDATE counters SET value = ${rows[0]!.value + 1} WHERE id = 'shared'`.execute(transaction);
      });
    const seen = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const [, value] = await Promise.all([add(), counted("shared")]);
        return value;
      }),
    );
    expect(await counted("shared")).toBe(20);
    expect(seen).not.toContain(-1);
  });

  it("takes back what a failed transaction did, and says so of one that goes on after an error", async () => {
    const interrupted = opened.db.transaction().execute(async (transaction) => {
      await sql`INSERT INTO counters VALUES ('undone', 1)`.execute(transaction);
      throw new Error("changed my mind");
    });
    await expect(interrupted).rejects.toThrow("changed my mind");
    const ignoring = opened.db.transaction().execute(async (transaction) => {
      await sql`INSERT INTO counters VALUES ('undone', 1)`.execute(transaction);
      await sql`SELECT 1 / 0`.execute(transaction).catch(() => {});
    });
    await expect(ignoring).rejects.toThrow("rolled back");
    expect(await counted("undone")).toBeUndefined();
  });

  it("answers what it was asked before it closes, and has kept it", async () => {
    await put("a", 1);
    const slow = sql`UPDATE counters SET value = (SELECT sum(length(md5(i::text))) FROM generate_series(1, 100000) i) WHERE id = 'a'`;
    const asked = slow.execute(opened.db);
    await turn();
    await opened.close();
    expect((await asked).numAffectedRows).toBe(1n);
    await opened.close();
    opened = await open();
    expect(await counted("a")).toBe(32 * 100_000);
    expect(deaths).toEqual([]);
  });
});

describe("an embedded database that cannot go on writing its log", () => {
  it.each([
    ["between statements", 100],
    // PostgreSQL holds a lock then, and would wait for it in vain.
    ["in the midst of one", 400_000],
  ])("ends %s, says why and leaves nobody waiting", async (_, length) => {
    const database = await createTestDatabase("pglite");
    onTestFinished(() => database.remove());
    const directory = join(database.config.dataDir!, "pglite");
    const deaths: string[] = [];
    const opened = await openPglite(directory, ({ message }) => deaths.push(message));
    await sql`CREATE TABLE written (text text)`.execute(opened.db);
    const write = () =>
      sql`INSERT INTO written VALUES (${randomBytes(length / 2).toString("hex")})`.execute(opened.db);

    rmSync(join(directory, "pg_wal"), { recursive: true });
    if (length === 100) await sql`SELECT pg_switch_wal()`.execute(opened.db);
    const writeUntilRefused = async () => {
      for (;;) await write();
    };
    for (const failure of await Promise.all([
      failureOf(writeUntilRefused()),
      failureOf(writeUntilRefused()),
    ])) {
      expect(failure).toMatchObject({ slug: "storage.unavailable" });
    }
    expect(await failureOf(write())).toMatchObject({ slug: "storage.unavailable" });
    expect(deaths).toEqual([
      expect.stringMatching(/^could not create file "pg_wal\/\S+": No such file or directory$/),
    ]);
    await opened.close();
  });
});

describe("an embedded database that writes a lot", () => {
  it("keeps its log short by checkpoints, as often as it must", async () => {
    const database = await createTestDatabase("pglite");
    onTestFinished(() => database.remove());
    const directory = join(database.config.dataDir!, "pglite");
    const engine = await openEngine(directory, (error) => expect.unreachable(String(error)));
    const statements: string[] = [];
    const checkpointIfDue = limitWal(
      (statement) => {
        statements.push(statement);
        return engine.query(statement);
      },
      { maxWalBytes: 5 * 1024 * 1024, lookEveryMs: 0 },
    );
    await engine.query("CREATE TABLE written (text text)");
    for (let megabyte = 0; megabyte < 30; megabyte++) {
      await engine.query(
        "INSERT INTO written SELECT repeat(md5(i::text), 30) FROM generate_series(1, 1000) i",
      );
      await checkpointIfDue();
    }
    const checkpoints = statements.filter((statement) => statement === "CHECKPOINT").length;
    expect(checkpoints).toBeGreaterThan(3);
    expect(checkpoints).toBeLessThan(10);
    // 16 MB each: what is written between two checkpoints, and what is ready to be written.
    expect(readdirSync(join(directory, "pg_wal")).filter((name) => name.length === 24).length).toBeLessThan(
      6,
    );
    await engine.close();
  });
});
