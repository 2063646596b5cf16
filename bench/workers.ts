import { type Child, startChild } from "./child.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole } from "./markdown.ts";
import type { Rounds } from "./plan.ts";
import { createSupply, enoughFor } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { type Round, ratios, type Spread, summarize } from "./statistics.ts";

/** DeleteSession on a server with two workers, beside one with one. */
export type WorkersResult = {
  one: Round;
  two: Round;
  /** Requests per second, two to one. */
  ratio: Spread;
};

const CALLERS = 64;

/** DeleteSession (Connect JSON); workers, PostgreSQL and the load generator share the machine. */
export async function measureWorkers(
  stage: Child<Stage>,
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<WorkersResult> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const start = async (workers: number) => {
    const databaseUrl = await stage.call("createDatabase", `workers_${workers}`);
    const environment = { GATEHOUSE_WORKERS: String(workers) };
    const node = await stage.call("startGatehouse", { databaseUrl, environment });
    undo.defer(() => stage.call("endGatehouse", node));
    return { supply: createSupply(generator, node), measured: [] as LoadedRound[] };
  };
  const [one, two] = [await start(1), await start(2)];
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}: one worker, and two`);
    for (const { supply, measured } of round % 2 === 1 ? [one, two] : [two, one]) {
      const load = await supply.load({
        rpc: "DeleteSession",
        protocol: "Connect JSON",
        count: enoughFor(length, measured.at(-1)),
      });
      measured.push(await generator.call("run", { ...load, ...length, callers: CALLERS }));
    }
  }
  return {
    one: summarize(one.measured),
    two: summarize(two.measured),
    ratio: ratios(two.measured, one.measured),
  };
}

export function workersTable({ one, two, ratio }: WorkersResult): string[] {
  const line = (what: string, { perSecond, p50Ms, p99Ms, cpuMicroseconds }: Round) =>
    row([
      what,
      whole(perSecond),
      milliseconds(p50Ms),
      milliseconds(p99Ms),
      cpuMicroseconds === undefined ? "–" : whole(cpuMicroseconds),
    ]);
  return [
    `**Workers**: DeleteSession (Connect JSON), ${CALLERS} callers. Requests per second, two workers to one: ${spread(ratio)}.`,
    "",
    "| | requests/s | p50 ms | p99 ms | CPU µs |",
    "|---|--:|--:|--:|--:|",
    line("one worker", one),
    line("two workers", two),
  ];
}
