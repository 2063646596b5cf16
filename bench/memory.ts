import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import type { LoadGenerator } from "./load-generator.ts";
import { mebibytes, row, spread, whole } from "./markdown.ts";
import type { MemorySize } from "./plan.ts";
import { familyResidentBytes } from "./process-use.ts";
import { createSupply } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** What the server holds after more and more requests. */
export type MemoryResult = {
  points: { requests: number; residentBytes: Spread }[];
  /** After the last of the points, to after the first. */
  ratio: Spread;
};

const CALLERS = 64;
/** A quarter of them makes sessions, a quarter ends these, and the rest reads. */
const REQUESTS_A_TURN = 10_000;
const SAMPLES = 10;
const SAMPLE_EVERY_MS = 200;

/**
 * Sessions that begin, are read and end, over and over, and how much memory the server then holds: itself and, if it
 * has some, its workers. Nobody asks it to collect its garbage.
 * @returns undefined where the system does not tell
 */
export async function measureMemory(
  stage: Child<Stage>,
  { pointsAt }: MemorySize,
  onProgress: (step: string) => void,
): Promise<MemoryResult | undefined> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const databaseUrl = await stage.call("createDatabase", "memory");
  const node = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", node));
  const supply = createSupply(generator, node);
  const send = async (rpc: "GetSession" | "DeleteSession", count: number) => {
    // The supply has sessions to spare; it is asked for just these.
    const load = await supply.load({ rpc, protocol: "Connect JSON", count });
    await generator.call("run", {
      ...load,
      ...{ atMost: count, callers: CALLERS, warmupSeconds: 0, seconds: Infinity },
    });
  };

  const points: MemoryResult["points"] = [];
  let requests = 0;
  for (const at of pointsAt) {
    for (; requests < at; requests += REQUESTS_A_TURN) {
      onProgress(`memory: after ${requests} of ${pointsAt.at(-1)} requests`);
      await send("GetSession", REQUESTS_A_TURN / 2);
      await send("DeleteSession", REQUESTS_A_TURN / 4);
    }
    const samples: number[] = [];
    while (samples.length < SAMPLES) {
      await sleep(SAMPLE_EVERY_MS);
      const bytes = familyResidentBytes(node.pid);
      if (bytes === undefined) return undefined;
      samples.push(bytes);
    }
    points.push({ requests, residentBytes: spreadOf(samples) });
  }
  const [first, last] = [points[0]!.residentBytes, points.at(-1)!.residentBytes];
  const to = (bytes: number) => bytes / first.median;
  return {
    points,
    ratio: { median: to(last.median), least: to(last.least), most: to(last.most) },
  };
}

export function memoryTable({ points, ratio }: MemoryResult): string[] {
  return [
    `**Memory** the server holds after so many requests (CreateSession, GetSession, DeleteSession), of ${CALLERS} callers. Last to first: ${spread(ratio)}.`,
    "",
    "| requests | resident MiB |",
    "|--:|--:|",
    ...points.map(({ requests, residentBytes }) => row([whole(requests), mebibytes(residentBytes.median)])),
  ];
}
