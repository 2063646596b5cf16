import { type Child, startChild } from "./child.ts";
import { databasePid } from "./database-client.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { Rounds } from "./plan.ts";
import { createSupply, enoughFor, type SessionSupply } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { median, type Round, ratios, type Spread, summarize } from "./statistics.ts";
import type { Rpc } from "./wire.ts";

/** A server with two workers, beside one with one. */
export type WorkersResult = Record<Measured, WorkersComparison>;

export type WorkersComparison = {
  one: Side;
  two: Side;
  /** Requests per second, two to one. */
  ratio: Spread;
};

type Side = Round & { generatorCores: number };

const measuredRpcs = ["DeleteSession", "GetSession"] as const satisfies Rpc[];
type Measured = (typeof measuredRpcs)[number];

/** As many as a server has that is worth a second worker: from fewer, the batches of each would be small. */
const CALLERS = 256;

/** DeleteSession and GetSession (Connect JSON); workers, PostgreSQL and the load generator share the machine. */
export async function measureWorkers(
  stage: Child<Stage>,
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<WorkersResult> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const start = async (workers: number): Promise<Server> => {
    const databaseUrl = await stage.call("createDatabase", `workers_${workers}`);
    const environment = { GATEHOUSE_WORKERS: String(workers) };
    const node = await stage.call("startGatehouse", { databaseUrl, environment });
    undo.defer(() => stage.call("endGatehouse", node));
    const pid = await databasePid(databaseUrl);
    return {
      supply: createSupply(generator, node),
      databasePid: pid,
      taken: { DeleteSession: [], GetSession: [] },
    };
  };
  const [one, two] = [await start(1), await start(2)];
  for (let round = 1; round <= rounds; round++) {
    for (const rpc of measuredRpcs) {
      onProgress(`round ${round} of ${rounds}: ${rpc}, one worker and two`);
      for (const { supply, databasePid, taken } of round % 2 === 1 ? [one, two] : [two, one]) {
        const count = enoughFor(length, taken[rpc].at(-1));
        const load = await supply.load({ rpc, protocol: "Connect JSON", count });
        taken[rpc].push(await generator.call("run", { ...load, ...length, databasePid, callers: CALLERS }));
      }
    }
  }
  const compared = (rpc: Measured): WorkersComparison => ({
    one: summarizeSide(one.taken[rpc]),
    two: summarizeSide(two.taken[rpc]),
    ratio: ratios(two.taken[rpc], one.taken[rpc]),
  });
  return { DeleteSession: compared("DeleteSession"), GetSession: compared("GetSession") };
}

type Server = {
  supply: SessionSupply;
  databasePid: number | undefined;
  taken: Record<Measured, LoadedRound[]>;
};

const summarizeSide = (rounds: LoadedRound[]): Side => ({
  ...summarize(rounds),
  generatorCores: median(rounds.map(({ generatorCores }) => generatorCores)),
});

export function workersTable(result: WorkersResult): string[] {
  return [
    `**Workers**: Connect JSON, ${CALLERS} callers. *Cores*: how many of the machine's are at work for the server, for PostgreSQL and for the load generator; once one worker keeps all of them busy, another has nothing to win.`,
    "",
    "| | two ÷ one | workers | requests/s | p50 ms | p99 ms | CPU µs | PostgreSQL µs | cores: server | PostgreSQL | load |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...measuredRpcs.flatMap((rpc) => {
      const { one, two, ratio } = result[rpc];
      return [row([rpc, spread(ratio), "1", ...figuresOf(one)]), row(["", "", "2", ...figuresOf(two)])];
    }),
  ];
}

function figuresOf({
  perSecond,
  p50Ms,
  p99Ms,
  cpuMicroseconds,
  databaseCpuMicroseconds,
  generatorCores,
}: Side): string[] {
  const cores = (value: number | undefined) =>
    value === undefined ? "–" : ((value * perSecond) / 1e6).toFixed(2);
  return [
    whole(perSecond),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    wholeIfKnown(cpuMicroseconds),
    wholeIfKnown(databaseCpuMicroseconds),
    cores(cpuMicroseconds),
    cores(databaseCpuMicroseconds),
    generatorCores.toFixed(2),
  ];
}
