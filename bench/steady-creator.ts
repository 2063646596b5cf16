import { setTimeout as sleep } from "node:timers/promises";
import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { openApi, type Target } from "./api.ts";
import { answerCalls } from "./child.ts";
import { percentile, type Round } from "./statistics.ts";

/** Begins sessions at a fixed rate, whether or not the earlier ones have been answered. */
export type SteadyCreator = {
  run(order: Target & { userIds: readonly string[]; perSecond: number; seconds: number }): Promise<Round>;
};

const CONNECTIONS = 64;

/** A request's time begins when it is due: if it waits for the ones before it, that is its latency too. */
async function run({
  origin,
  bearer,
  userIds,
  perSecond,
  seconds,
}: Parameters<SteadyCreator["run"]>[0]): Promise<Round> {
  const api = openApi({ origin, bearer }, CONNECTIONS);
  try {
    const latencies: number[] = [];
    const startedAt = performance.now();
    const createOne = async (dueAt: number, userId: string) => {
      await api.call(SessionService.method.createSession, {
        checks: { user: { search: { case: "userId", value: userId } } },
        metadata: { device: Buffer.from("laptop") },
        userAgent: { ip: "192.0.2.7", description: "Firefox 140 on Linux" },
      });
      latencies.push(performance.now() - dueAt);
    };
    const all: Promise<void>[] = [];
    for (let index = 0; index < perSecond * seconds; index++) {
      const dueAt = startedAt + (index * 1_000) / perSecond;
      const earlyMs = dueAt - performance.now();
      if (earlyMs > 0) await sleep(earlyMs);
      const created = createOne(dueAt, userIds[index % userIds.length]!);
      // Heard of below; until then it must not count as unhandled.
      created.catch(() => {});
      all.push(created);
    }
    await Promise.all(all);
    return {
      perSecond: (latencies.length * 1_000) / (performance.now() - startedAt),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
    };
  } finally {
    api.close();
  }
}

answerCalls({ run } satisfies SteadyCreator);
