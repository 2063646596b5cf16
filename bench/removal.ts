import { type Kysely, sql } from "kysely";
import { uuidV7 } from "../src/crypto/random-ids.ts";
import { projections } from "../src/projections/projections.ts";
import type { SessionEvent } from "../src/session/events.ts";
import { initialSession, sessionAggregate } from "../src/session/session.ts";
import { change } from "../src/storage/aggregate.ts";
import { openPostgres } from "../src/storage/database.ts";
import { EventRepository } from "../src/storage/event-repository.ts";
import { migrate } from "../src/storage/migrate.ts";
import { SessionRepository } from "../src/storage/session-repository.ts";
import type { Database } from "../src/storage/tables.ts";
import { upkeepStores } from "../src/storage/upkeep-stores.ts";
import { folder } from "../src/upkeep/fold.ts";
import { sessionRemover } from "../src/upkeep/remove.ts";
import type { StepResult } from "../src/upkeep/upkeep-worker.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { cpuSeconds } from "./process-use.ts";

/**
 * What a session costs from its beginning to its removal, and whether the tables stop growing when as many go as come:
 * `node bench/removal.ts [rounds] [sessions per round]`.
 */
const [rounds = 5, sessions = 20_000] = process.argv.slice(2).map(Number);
const CALLERS = 64;
/** A session's beginning and a few changes of it, as separate appends. */
const beginning: SessionEvent[][] = [
  [
    {
      type: "session.added",
      payload: { user_agent: { ip: "192.0.2.7", description: "Firefox 140 on Linux" } },
    },
    {
      type: "session.user.checked",
      payload: { userID: "mia", userResourceOwner: "home", userEpoch: 0, checkedAt: "2026-07-10T09:00:00Z" },
    },
    { type: "session.token.set", payload: { tokenDigest: "A".repeat(43) } },
  ],
  [
    { type: "session.password.checked", payload: { checkedAt: "2026-07-10T09:00:00Z", passwordEpoch: 0 } },
    { type: "session.token.set", payload: { tokenDigest: "B".repeat(43) } },
  ],
];
const longAgo = new Date(Date.now() - 100 * 86_400_000).toISOString();
const ending: SessionEvent[] = [{ type: "session.terminated", payload: { endedAt: longAgo } }];

const postgres = await startPostgres(["-c", "autovacuum_naptime=1s", "-c", "max_wal_size=4GB"]);
await postgres.createDatabase("retention");
const { db, close } = openPostgres(postgres.url("retention"), { poolSize: 4 });
await migrate(db);
const events = new EventRepository(db, projections, { lanes: 2 });
const read = new SessionRepository(db);
const stores = upkeepStores(db);

for (let round = 1; round <= rounds; round++) {
  const ids = Array.from({ length: sessions }, () => uuidV7());
  await measured("create", () => each(ids, (id) => append(id, beginning[0]!)));
  await measured("change", () => each(ids, (id) => append(id, beginning[1]!)));
  await measured("end", () => each(ids, (id) => append(id, ending)));
  const fold = folder({ ...stores, days: async () => 30, onFolded: () => {} });
  await measured("fold", () => toEnd(fold));
  await measured("remove", () => toEnd(sessionRemover({ ...stores, days: async () => 90 })));
  console.log(`round ${round}: ${await sizes(db)}`);
}
await close();
await postgres.remove();

async function append(id: string, history: readonly SessionEvent[]): Promise<void> {
  const session = (await read.find(id))?.session ?? initialSession(id);
  await events.append([change(sessionAggregate, session, history, "bench")]);
}

async function each(ids: readonly string[], task: (id: string) => Promise<void>): Promise<void> {
  const left = ids.values();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (const id of left) await task(id);
    }),
  );
}

async function toEnd(step: () => Promise<StepResult>): Promise<void> {
  while ((await step()).left === "more");
}

/** Prints what a session costs: time from outside, processor time of the database's connections, and log written. */
async function measured(name: string, work: () => Promise<void>): Promise<void> {
  const [before, lsn] = [await processorTimes(), await walPosition()];
  const began = performance.now();
  await work();
  const ms = performance.now() - began;
  let cpu = 0;
  // One that was idle for long is closed and another one opened.
  for (const [pid, seconds] of await processorTimes()) cpu += seconds - (before.get(pid) ?? 0);
  const written = (await walPosition()) - lsn;
  const per = (total: number) => (total / sessions).toFixed(1).padStart(7);
  console.log(
    `${name.padEnd(8)} ${per(ms * 1_000)} µs ${per(cpu * 1e6)} µs of processor ${per(written)} bytes of WAL`,
  );
}

async function processorTimes(): Promise<Map<number, number>> {
  const { rows } = await sql<{ pid: number }>`
    SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'`.execute(db);
  return new Map(rows.map(({ pid }) => [pid, cpuSeconds(pid) ?? 0]));
}

async function walPosition(): Promise<number> {
  const { rows } = await sql<{ bytes: string }>`
    SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS bytes`.execute(db);
  return Number(rows[0]!.bytes);
}

async function sizes(database: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ name: string; mib: number; rows: number; vacuums: number }>`
    SELECT relname AS name, round(pg_total_relation_size(relid) / 1048576.0, 1)::float8 AS mib,
      n_live_tup AS rows, autovacuum_count AS vacuums
    FROM pg_stat_user_tables WHERE relname IN ('sessions', 'events') ORDER BY relname`.execute(database);
  return rows.map((each) => `${each.name} ${each.mib} MiB, ${each.vacuums} vacuums`).join("; ");
}
