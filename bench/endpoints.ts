import { type Child, startChild } from "./child.ts";
import type { EmptyServer } from "./empty-server.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import type { Rounds } from "./plan.ts";
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
  /** Cores the load generator used against Gatehouse and against the empty handler. */
  generatorCores: { gatehouse: number; empty: number };
};

export const CALLERS = 64;

/** Sessions that are read, again and again. */
const READ_SESSIONS = 1_000;
/** Requests per second to provide sessions for before a rate is known. */
const ASSUMED_RATE = 2_500;
/** Sessions a round gets beyond what the last one used in the same time. */
const HEADROOM = 1.3;

type Measured = { gatehouse: LoadedRound[]; empty: LoadedRound[] };

/**
 * DeleteSession and GetSession on each protocol, from a generator process against Gatehouse on PostgreSQL, and the same
 * requests against a handler that does nothing. All calls take turns within a round, and the two servers in every turn.
 */
export async function measureEndpoints(
  stage: Child<Stage>,
  { rounds, warmupSeconds, seconds }: Rounds,
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
  const createSessions = (count: number) => generator.call("createSessions", { ...gatehouse, count });
  const readSessions = await createSessions(READ_SESSIONS);

  const cells = rpcs.flatMap((rpc) =>
    protocols.map((protocol) => ({ rpc, protocol, measured: { gatehouse: [], empty: [] } as Measured })),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const { rpc, protocol, measured } of cells) {
      onProgress(`round ${round} of ${rounds}: ${rpc}, ${protocol}`);
      const ends = rpc === "DeleteSession";
      const rate = measured.gatehouse.at(-1)?.perSecond ?? ASSUMED_RATE;
      const sessions = ends
        ? await createSessions(Math.ceil(rate * (warmupSeconds + seconds) * HEADROOM))
        : readSessions;
      const load = { bearer: gatehouse.bearer, protocol, rpc, callers: CALLERS, warmupSeconds, seconds };
      const sides = {
        gatehouse: { origin: gatehouse.origin, serverPid: gatehouse.pid, sessions, once: ends },
        empty: {
          origin: emptyOrigin,
          serverPid: emptyServer.pid,
          sessions: sessions.slice(0, READ_SESSIONS),
          once: false,
        },
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
    generatorCores: { gatehouse: generatorCores(measured.gatehouse), empty: generatorCores(measured.empty) },
  }));
}

const generatorCores = (rounds: LoadedRound[]): number => median(rounds.map((round) => round.generatorCores));
