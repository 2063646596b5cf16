import pg from "pg";
import type { AppendRound } from "./append-caller.ts";
import { referenceStatement, SEEDED_SESSIONS } from "./append-database.ts";
import { answerCalls } from "./child.ts";
import { percentile, type Round } from "./statistics.ts";

export type PgLoop = {
  run(round: AppendRound & { databaseUrl: string }): Promise<Round>;
};

/** What a server with a plain `pg` pool does: every caller has a connection and sends the prepared statement. */
async function run({
  databaseUrl,
  callers,
  warmupSeconds,
  seconds,
}: Parameters<PgLoop["run"]>[0]): Promise<Round> {
  const clients = Array.from({ length: callers }, () => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await loopFor(clients, warmupSeconds);
    const startedAt = performance.now();
    const latencies = await loopFor(clients, seconds);
    const perSecond = (latencies.length * 1_000) / (performance.now() - startedAt);
    return { perSecond, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

const statement = { name: "reference", text: referenceStatement("$1::int") };

async function loopFor(clients: pg.Client[], seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < endsAt) {
        const startedAt = performance.now();
        const { rowCount } = await client.query({
          ...statement,
          values: [1 + Math.floor(Math.random() * SEEDED_SESSIONS)],
        });
        if (rowCount !== 1) throw new Error("the reference statement stored no event");
        latencies.push(performance.now() - startedAt);
      }
    }),
  );
  return latencies;
}

answerCalls({ run } satisfies PgLoop);
