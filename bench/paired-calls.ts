import { answerCalls } from "./child.ts";
import { openHttp1 } from "./http-clients.ts";
import { percentile } from "./statistics.ts";
import type { Request } from "./wire.ts";

/** Requests of a kind, beside the ones each is held against. */
export type Pair = { measured: Request; limit: Request };

export type PairedRound = { measured: Latencies; limit: Latencies };
/** Milliseconds. */
export type Latencies = { p50Ms: number; p99Ms: number };

/** Latencies of two kinds of calls, one connection, one call at a time. */
export type PairedCalls = {
  run(order: {
    origin: string;
    pairs: readonly Pair[];
    warmupSeconds: number;
    seconds: number;
  }): Promise<PairedRound>;
};

/** The two sides take turns call by call, so that whatever disturbs the machine disturbs both. */
async function run({
  origin,
  pairs,
  warmupSeconds,
  seconds,
}: Parameters<PairedCalls["run"]>[0]): Promise<PairedRound> {
  const client = openHttp1(origin, 1);
  const timed = async (request: Request, latencies: number[]) => {
    const sentAt = performance.now();
    const { status, body } = await client.send(request, 0);
    latencies.push(performance.now() - sentAt);
    if (status !== 200)
      throw new Error(`${request.path}: HTTP ${status} ${Buffer.from(body).toString().slice(0, 500)}`);
  };
  const phase = async (duration: number) => {
    const latencies = { measured: [] as number[], limit: [] as number[] };
    const endsAt = performance.now() + duration * 1_000;
    for (let turn = 0; turn === 0 || performance.now() < endsAt; turn++) {
      const pair = pairs[turn % pairs.length]!;
      const order = turn % 2 === 0 ? (["measured", "limit"] as const) : (["limit", "measured"] as const);
      for (const side of order) await timed(pair[side], latencies[side]);
    }
    return latencies;
  };
  try {
    await phase(warmupSeconds);
    const { measured, limit } = await phase(seconds);
    return { measured: latenciesOf(measured), limit: latenciesOf(limit) };
  } finally {
    client.close();
  }
}

function latenciesOf(values: number[]): Latencies {
  return { p50Ms: percentile(values, 0.5), p99Ms: percentile(values, 0.99) };
}

answerCalls({ run } satisfies PairedCalls);
