import { projections } from "../src/projections/projections.ts";
import { type SessionState, sessionAggregate } from "../src/session/session.ts";
import { change, settled } from "../src/storage/aggregate.ts";
import { openPostgres } from "../src/storage/database.ts";
import { EventRepository } from "../src/storage/event-repository.ts";
import { answerCalls } from "./child.ts";
import { percentile, type Round } from "./statistics.ts";

export type AppendRound = { callers: number; warmupSeconds: number; seconds: number };

export type AppendCaller = {
  open(databaseUrl: string): Promise<void>;
  run(round: AppendRound): Promise<Round>;
};

/** As `server.ts` composes it for PostgreSQL. */
const LANES = 2;

let events: EventRepository;
let sessions: SessionState[];

/** The event store in a process of its own, with every session's state at hand: nothing but appends is measured. */
const caller: AppendCaller = {
  async open(databaseUrl) {
    const { db } = openPostgres(databaseUrl);
    events = new EventRepository(db, projections, { lanes: LANES });
    sessions = await db.selectFrom("sessions").selectAll().execute();
  },

  async run({ callers, warmupSeconds, seconds }) {
    await appendFor(callers, warmupSeconds);
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    const latencies = await appendFor(callers, seconds);
    const elapsedSeconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return {
      perSecond: latencies.length / elapsedSeconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMicroseconds: (user + system) / latencies.length,
    };
  },
};

/** Each caller changes sessions nobody else does, one after the other. @returns milliseconds of every append */
async function appendFor(callers: number, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async (_, first) => {
      while (performance.now() < endsAt) {
        const index = first + callers * Math.floor((Math.random() * (sessions.length - first)) / callers);
        const startedAt = performance.now();
        sessions[index] = await rotateToken(sessions[index]!);
        latencies.push(performance.now() - startedAt);
      }
    }),
  );
  return latencies;
}

/** One append of one event, as a SetSession ends with. */
async function rotateToken(session: SessionState): Promise<SessionState> {
  const tokenDigest = `${session.sequence}${session.id}`.padEnd(43, "A").slice(0, 43);
  const rotated = change(
    sessionAggregate,
    session,
    [{ type: "session.token.set", payload: { tokenDigest } }],
    "bench",
  );
  const appendedAt = await events.append([rotated]);
  return { ...rotated.state, changedAt: settled(rotated.state.changedAt, appendedAt) };
}

answerCalls(caller);
