import { sql } from "kysely";
import { projections } from "../src/projections/projections.ts";
import { type SessionState, sessionAggregate } from "../src/session/session.ts";
import { change, settled } from "../src/storage/aggregate.ts";
import { openPostgres } from "../src/storage/database.ts";
import { EventRepository } from "../src/storage/event-repository.ts";
import { SessionRepository } from "../src/storage/session-repository.ts";
import { type UsedSessions, usedIdOf } from "./append-database.ts";
import { answerCalls } from "./child.ts";
import { percentile, type Round } from "./statistics.ts";

export type StoreRound = { callers: number; seconds: number };

export type AppendCaller = {
  open(order: { databaseUrl: string; used: UsedSessions }): Promise<void>;
  append(round: StoreRound): Promise<Round>;
  find(round: StoreRound): Promise<Round>;
};

/** As `compose.ts` has it for PostgreSQL. */
const APPEND_LANES = 3;
const READ_LANES = 2;

let events: EventRepository;
let repository: SessionRepository;
let sessions: SessionState[];

/** The store in a process of its own, with the states of sessions at hand: nothing but appends and reads is measured. */
const caller: AppendCaller = {
  async open({ databaseUrl, used }) {
    const { db } = openPostgres(databaseUrl);
    events = new EventRepository(db, projections, { lanes: APPEND_LANES });
    repository = new SessionRepository(db, { lanes: READ_LANES });
    const ids = sql.raw(`(SELECT ${usedIdOf("n", used)} FROM generate_series(1, ${used.count}) n)`);
    sessions = await db.selectFrom("sessions").selectAll().where("id", "in", sql<string>`${ids}`).execute();
  },
  append: (round) => measured(round, rotateToken),
  find: (round) =>
    measured(round, async (index) => {
      const found = await repository.find(sessions[index]!.id);
      if (found === undefined) throw new Error("a session is gone");
    }),
};

async function measured(
  { callers, seconds }: StoreRound,
  call: (index: number) => Promise<void>,
): Promise<Round> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const latencies = await callFor(callers, seconds, call);
  const elapsedSeconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    perSecond: latencies.length / elapsedSeconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMicroseconds: (user + system) / latencies.length,
  };
}

/** Each caller uses sessions nobody else does, one after the other. @returns milliseconds of every call */
async function callFor(
  callers: number,
  seconds: number,
  call: (index: number) => Promise<void>,
): Promise<number[]> {
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async (_, first) => {
      while (performance.now() < endsAt) {
        const index = first + callers * Math.floor((Math.random() * (sessions.length - first)) / callers);
        const startedAt = performance.now();
        await call(index);
        latencies.push(performance.now() - startedAt);
      }
    }),
  );
  return latencies;
}

/** One append of one event, as a SetSession ends with. */
async function rotateToken(index: number): Promise<void> {
  const session = sessions[index]!;
  const tokenDigest = `${session.sequence}${session.id}`.padEnd(43, "A").slice(0, 43);
  const rotated = change(
    sessionAggregate,
    session,
    [{ type: "session.token.set", payload: { tokenDigest } }],
    "bench",
  );
  const appendedAt = await events.append([rotated]);
  const { changedAt, lastUsedAt } = rotated.state;
  sessions[index] = {
    ...rotated.state,
    changedAt: settled(changedAt, appendedAt),
    lastUsedAt: settled(lastUsedAt, appendedAt),
  };
}

answerCalls(caller);
