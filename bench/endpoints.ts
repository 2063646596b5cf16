import { type Child, startChild } from "./child.ts";
import type { EmptyServer } from "./empty-server.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import type { Rounds } from "./plan.ts";
import { createSupply, enoughFor } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { median, type Round, ratios, type Spread, summarize } from "./statistics.ts";
import { type Protocol, protocols, type Rpc, rpcs } from "./wire.ts";

/** One call on one protocol, beside the empty handler. */
export type EndpointResult = {
  rpc: Rpc;
  protocol: Protocol;
  gatehouse: Round;
  empty: Round;
  /** Requests per second, Gatehouse to empty handler. */
  ratio: Spread;
  /** Requests per second, to the same call by Connect JSON in the same round. */
  toConnectJson: Spread;
  /** Cores the load generator used against Gatehouse and against the empty handler. */
  generatorCores: { gatehouse: number; empty: number };
};

export const CALLERS = 64;

type Measured = { gatehouse: LoadedRound[]; empty: LoadedRound[] };

/**
 * DeleteSession and GetSession on each protocol, from a generator process against Gatehouse on PostgreSQL, and the same
 * requests against a handler that does nothing. All calls take turns within a round, and the two servers in every turn.
 */
export async function measureEndpoints(
  stage: Child<Stage>,
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<EndpointResult[]> {
  await using children = new AsyncDisposableStack();
  const generator = children.use(startChild<LoadGenerator>("load-generator.ts"));
  const emptyServer = children.use(startChild<EmptyServer>("empty-server.ts"));
  const emptyOrigin = await emptyServer.call("start", undefined);
  const gatehouse = await stage.call("startGatehouse", {
    databaseUrl: await stage.call("createDatabase", "endpoints"),
  });
  children.defer(() => stage.call("endGatehouse", gatehouse));
  const supply = createSupply(generator, gatehouse);

  const cells = rpcs.flatMap((rpc) =>
    protocols.map((protocol) => ({ rpc, protocol, measured: { gatehouse: [], empty: [] } as Measured })),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const { rpc, protocol, measured } of cells) {
      onProgress(`round ${round} of ${rounds}: ${rpc}, ${protocol}`);
      const ours = await supply.load({
        rpc,
        protocol,
        count: enoughFor(length, measured.gatehouse.at(-1)),
      });
      const load = { ...length, protocol, callers: CALLERS };
      const sides = {
        gatehouse: ours,
        empty: { origin: emptyOrigin, serverPid: emptyServer.pid, requests: ours.requests.slice(0, 1_000) },
      };
      const order = round % 2 === 1 ? (["gatehouse", "empty"] as const) : (["empty", "gatehouse"] as const);
      for (const side of order) measured[side].push(await generator.call("run", { ...load, ...sides[side] }));
    }
  }
  return cells.map(({ rpc, protocol, measured }) => ({
    rpc,
    protocol,
    gatehouse: summarize(measured.gatehouse),
    empty: summarize(measured.empty),
    ratio: ratios(measured.gatehouse, measured.empty),
    toConnectJson: ratios(
      measured.gatehouse,
      cells.find((cell) => cell.rpc === rpc && cell.protocol === "Connect JSON")!.measured.gatehouse,
    ),
    generatorCores: { gatehouse: generatorCores(measured.gatehouse), empty: generatorCores(measured.empty) },
  }));
}

const generatorCores = (rounds: LoadedRound[]): number => median(rounds.map((round) => round.generatorCores));
