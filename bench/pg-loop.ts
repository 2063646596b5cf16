import pg from "pg";
import type { StoreRound } from "./append-caller.ts";
import { referenceStatement, type UsedSessions } from "./append-database.ts";
import { answerCalls } from "./child.ts";
import { percentile, type Round } from "./statistics.ts";

export type LoopRound = StoreRound & { warmupSeconds: number; databaseUrl: string; used: UsedSessions };

export type PgLoop = {
  run(round: LoopRound): Promise<Round>;
};

/** What a server with a plain `pg` pool does: every caller has a connection and sends the prepared statement. */
async function run({ databaseUrl, used, callers, warmupSeconds, seconds }: LoopRound): Promise<Round> {
  const clients = Array.from({ length: callers }, () => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await loopFor(clients, used, warmupSeconds);
    const startedAt = performance.now();
    const latencies = await loopFor(clients, used, seconds);
    const perSecond = (latencies.length * 1_000) / (performance.now() - startedAt);
    return { perSecond, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function loopFor(clients: pg.Client[], used: UsedSessions, seconds: number): Promise<number[]> {
  const statement = { name: "reference", text: referenceStatement("$1::int", used) };
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < endsAt) {
        const startedAt = performance.now();
        const { rowCount } = await client.query({
          ...statement,
          values: [1 + Math.floor(Math.random() * used.count)],
        });
        if (rowCount !== 1) throw new Error("the reference statement stored no event");
        latencies.push(performance.now() - startedAt);
      }
    }),
  );
  return latencies;
}

answerCalls({ run } satisfies PgLoop);
