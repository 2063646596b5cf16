import { type Child, startChild } from "./child.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole } from "./markdown.ts";
import type { Rounds } from "./plan.ts";
import { createSupply, enoughFor } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { type Round, type Spread, spreadOf, summarize } from "./statistics.ts";
import { type Rpc, rpcs } from "./wire.ts";

/** One call at a rate the world sets, beside the same when the server sets it. */
export type OpenLoopResult = {
  rpc: Rpc;
  /** As many as it can. */
  closed: Round;
  /** Half of that, due at fixed times; latency counts from then on. */
  open: Round;
  p99Ms: Spread;
};

const CALLERS = 64;
const SHARE = 0.5;

/** GetSession and DeleteSession (Connect JSON) in a closed loop, and then at half its rate in an open one. */
export async function measureOpenLoop(
  stage: Child<Stage>,
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<OpenLoopResult[]> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const databaseUrl = await stage.call("createDatabase", "open_loop");
  const node = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", node));
  const supply = createSupply(generator, node);

  const measured = rpcs.map((rpc) => ({ rpc, closed: [] as LoadedRound[], open: [] as LoadedRound[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { rpc, closed, open } of measured) {
      onProgress(`round ${round} of ${rounds}: ${rpc} at a fixed rate`);
      const load = async (last: { perSecond: number } | undefined) => ({
        ...(await supply.load({ rpc, protocol: "Connect JSON", count: enoughFor(length, last) })),
        ...length,
        callers: CALLERS,
      });
      const reached = await generator.call("run", await load(closed.at(-1)));
      closed.push(reached);
      const half = { perSecond: reached.perSecond * SHARE };
      open.push(await generator.call("run", { ...(await load(half)), ...half }));
    }
  }
  return measured.map(({ rpc, closed, open }) => ({
    rpc,
    closed: summarize(closed),
    open: summarize(open),
    p99Ms: spreadOf(open.map(({ p99Ms }) => p99Ms)),
  }));
}

export function openLoopTable(results: OpenLoopResult[]): string[] {
  const timings = ({ perSecond, p50Ms, p99Ms }: Round) => [
    whole(perSecond),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
  ];
  return [
    `**At a fixed rate**, half of what ${CALLERS} callers reach who each wait for their answers (Connect JSON). Latency counts from when a request is due, up to a millisecond of it is the timer of the load generator.`,
    "",
    "| call | requests/s | p50 ms | p99 ms | p99 ms: median (least–most) | closed loop: requests/s | p50 ms | p99 ms |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
    ...results.map(({ rpc, closed, open, p99Ms }) =>
      row([rpc, ...timings(open), spread(p99Ms), ...timings(closed)]),
    ),
  ];
}
