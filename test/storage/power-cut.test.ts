import fs, { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import { type OpenDatabase, openPgliteHere } from "../../src/storage/database.ts";
import { openEngine } from "../../src/storage/embedded/engine.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { copyBeside, RecordedDisk } from "./recorded-disk.ts";

type Acknowledged = { id: string; moment: number };

const events: SessionEvent[] = [
  { type: "session.added", payload: {} },
  { type: "session.token.set", payload: { tokenDigest: "digest" } },
];

/** Throws the same again for the same seed (mulberry32). */
function seededDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const CALLERS = 8;
const ROUNDS = 12;

describe("an embedded database after a power cut", () => {
  let database: TestDatabase;
  let directory: string;
  let origin: string;

  beforeEach(async () => {
    database = await createTestDatabase("pglite");
    directory = join(database.config.dataDir!, "pglite");
  });
  afterEach(() => database.remove());

  /** Stores sessions, with a change of WAL segment, a checkpoint and a new table on the way. */
  async function record(fsync: "on" | "off"): Promise<{ disk: RecordedDisk; acknowledged: Acknowledged[] }> {
    appendFileSync(join(directory, "postgresql.conf"), `fsync = ${fsync}\n`);
    origin = copyBeside(directory, "origin");
    const disk = new RecordedDisk(directory, origin);
    try {
      const opened = await openPgliteHere(directory);
      const acknowledged: Acknowledged[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        if (round === 3) await sql`SELECT pg_switch_wal()`.execute(opened.db);
        if (round === 6) await sql`CHECKPOINT`.execute(opened.db);
        if (round === 9) await sql`CREATE TABLE later (id int)`.execute(opened.db);
        acknowledged.push(...(await storeSessions(opened, disk)));
      }
      // Not closed: the power is cut while it runs.
      disk.stop();
      await opened.close();
      return { disk, acknowledged };
    } finally {
      disk.stop();
    }
  }

  async function storeSessions({ db }: OpenDatabase, disk: RecordedDisk): Promise<Acknowledged[]> {
    const repository = new EventRepository(db, projections);
    return await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        const id = uuidV7();
        await repository.append([change(sessionAggregate, initialSession(id), events, "tester")]);
        return { id, moment: disk.now };
      }),
    );
  }

  /** @returns how many of the sessions are there; that the database is sound is checked on the way */
  async function found(
    disk: RecordedDisk,
    moment: number,
    dice: () => number,
    ids: string[],
  ): Promise<number> {
    const left = join(database.config.dataDir!, "left");
    rmSync(left, { recursive: true, force: true });
    disk.cut(moment, left, dice);
    const opened = await openPgliteHere(left);
    try {
      expect((await verifyProjections(opened.db, projections)).differences).toEqual([]);
      const rows = await opened.db.selectFrom("sessions").select("id").where("id", "in", ids).execute();
      return rows.length;
    } finally {
      await opened.close();
    }
  }

  it("has every session it acknowledged, whatever else the disk kept", async () => {
    const { disk, acknowledged } = await record("on");
    expect(acknowledged).toHaveLength(CALLERS * ROUNDS);
    const firstMoment = acknowledged[0]!.moment;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: firstMoment, max: disk.now }), fc.nat(), async (moment, seed) => {
        const ids = acknowledged.filter((session) => session.moment <= moment).map(({ id }) => id);
        expect(await found(disk, moment, seededDice(seed), ids)).toBe(ids.length);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it("is not trusted any more once the disk refused to sync", async () => {
    appendFileSync(join(directory, "postgresql.conf"), "fsync = on\n");
    const failures: unknown[] = [];
    const engine = await openEngine(directory, (error) => failures.push(error));
    const refusal = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    const sync = vi.spyOn(fs, "fdatasyncSync").mockImplementation(() => {
      throw refusal;
    });
    await engine.query("CREATE TABLE lost ()").catch(() => {});
    sync.mockRestore();
    expect(failures).toEqual([refusal]);
  });

  it("would have lost some without fsync", async () => {
    const { disk, acknowledged } = await record("off");
    const ids = acknowledged.map(({ id }) => id);
    expect(await found(disk, disk.now, () => 0, ids)).toBeLessThan(ids.length);
  });
});
