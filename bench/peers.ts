import { type Child, startChild } from "./child.ts";
import { expectEqual } from "./claims.ts";
import { databasePid } from "./database-client.ts";
import { installPeers } from "./install-peers.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { Peer } from "./peer.ts";
import type { Rounds } from "./plan.ts";
import { createSupply, enoughFor } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { busyMicroseconds, median, type Round, ratios, type Spread, summarize } from "./statistics.ts";
import type { Request, Rpc } from "./wire.ts";

/** Gatehouse beside servers of others that do the same for a session, on the same PostgreSQL. */
export type PeersResult = { getSession: Comparison; signOut: Comparison; destroy: Comparison };

export type Comparison = {
  gatehouse: Side;
  peer: Side;
  /** Requests per second, Gatehouse to peer. */
  ratio: Spread;
  /** Processor time of server and database for a request, Gatehouse to peer; undefined where the system does not tell. */
  cpuRatio: number | undefined;
};

type Side = Round & { generatorCores: number };

const CALLERS = 256;
/** Sessions that are read, again and again. */
const READ_SESSIONS = 1_000;
type Name = keyof PeersResult;
type PeerName = "better-auth" | "express-session";

const comparisons = {
  getSession: { rpc: "GetSession", peer: "better-auth", method: "GET", path: "/api/auth/get-session" },
  signOut: { rpc: "DeleteSession", peer: "better-auth", method: "POST", path: "/api/auth/sign-out" },
  destroy: { rpc: "DeleteSession", peer: "express-session", method: "POST", path: "/sign-out" },
} as const satisfies Record<Name, { rpc: Rpc; peer: PeerName; method: string; path: string }>;
const names = Object.keys(comparisons) as Name[];

/**
 * GetSession and DeleteSession (Connect JSON) from one generator, in turns with what better-auth and express-session
 * have for it; sessions are made beforehand.
 * @throws Error if a peer did not really end the sessions it said it ended
 */
export async function measurePeers(
  stage: Child<Stage>,
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<PeersResult> {
  onProgress("peers: installing them, if they are not");
  await installPeers();
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const databaseUrl = await stage.call("createDatabase", "peers");
  const gatehouse = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", gatehouse));
  const supply = createSupply(generator, gatehouse);
  const postgresPid = await databasePid(databaseUrl);
  const startPeer = async (name: PeerName) => {
    const child = undo.use(startChild<Peer>(`peers/${name}.js`, { NODE_ENV: "production" }));
    const url = await stage.call("createDatabase", name.replace("-", "_"));
    return { child, origin: await child.call("start", { databaseUrl: url }) };
  };
  const peers = {
    "better-auth": await startPeer("better-auth"),
    "express-session": await startPeer("express-session"),
  };

  const measured = { getSession: bothSides(), signOut: bothSides(), destroy: bothSides() };
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const { rpc, peer: peerName } = comparisons[name];
      onProgress(`round ${round} of ${rounds}: ${rpc}, and ${peerName}`);
      const taken = measured[name];
      const once = rpc === "DeleteSession";
      const load = { ...length, databasePid: postgresPid, callers: CALLERS };
      const count = (side: keyof typeof taken) => enoughFor(length, taken[side].at(-1));
      const sides = {
        gatehouse: async () => {
          const ours = await supply.load({ rpc, protocol: "Connect JSON", count: count("gatehouse") });
          return generator.call("run", { ...load, ...ours });
        },
        peer: async () => {
          const { origin, child } = peers[peerName];
          const sessions = once ? count("peer") : READ_SESSIONS;
          const cookies = await child.call("createSessions", { count: sessions });
          const requests = cookies.map((cookie) => peerCall(comparisons[name], cookie, origin));
          const before = await child.call("countSessions", undefined);
          const order = { ...load, origin, serverPid: child.pid, protocol: "JSON", requests } as const;
          const answers = await generator.call("run", { ...order, atMost: once ? sessions : undefined });
          const gone = before - (await child.call("countSessions", undefined));
          expectEqual(`sessions ${peerName} has ended`, gone, once ? answers.answered : 0);
          return answers;
        },
      };
      const order = round % 2 === 1 ? (["gatehouse", "peer"] as const) : (["peer", "gatehouse"] as const);
      for (const side of order) taken[side].push(await sides[side]());
    }
  }
  return {
    getSession: compare(measured.getSession),
    signOut: compare(measured.signOut),
    destroy: compare(measured.destroy),
  };
}

type BothSides = Record<"gatehouse" | "peer", LoadedRound[]>;
const bothSides = (): BothSides => ({ gatehouse: [], peer: [] });

function peerCall({ method, path }: (typeof comparisons)[Name], cookie: string, origin: string): Request {
  // Browsers say where they come from, and better-auth refuses a POST that does not.
  const headers = { cookie, origin, "content-type": "application/json" };
  if (method === "GET") return { method, path, headers: { cookie } };
  return { method, path, headers: { ...headers, "content-length": "2" }, body: Buffer.from("{}") };
}

function compare({ gatehouse, peer }: BothSides): Comparison {
  const [ours, theirs] = [sideOf(gatehouse), sideOf(peer)];
  const [ourCpu, theirCpu] = [busyMicroseconds(ours), busyMicroseconds(theirs)];
  return {
    gatehouse: ours,
    peer: theirs,
    ratio: ratios(gatehouse, peer),
    cpuRatio: ourCpu && theirCpu && ourCpu / theirCpu,
  };
}

const sideOf = (rounds: LoadedRound[]): Side => ({
  ...summarize(rounds),
  generatorCores: median(rounds.map((round) => round.generatorCores)),
});

export function peersTable(result: PeersResult): string[] {
  return [
    `**Beside servers of others**, ${CALLERS} callers, the same PostgreSQL. Each is one process. Ratio of requests per second: median (least–most).`,
    "",
    "| Gatehouse ÷ peer | ratio | CPU ratio | requests/s | p50 ms | p99 ms | CPU µs | PostgreSQL µs | peer: requests/s | p50 ms | p99 ms | CPU µs | PostgreSQL µs |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...names.map((name) => {
      const { gatehouse, peer, ratio, cpuRatio } = result[name];
      return row([
        titles[name],
        spread(ratio),
        cpuRatio === undefined ? "–" : cpuRatio.toFixed(2),
        ...figuresOf(gatehouse),
        ...figuresOf(peer),
      ]);
    }),
  ];
}

const titles: Record<Name, string> = {
  getSession: "GetSession ÷ better-auth get-session",
  signOut: "DeleteSession ÷ better-auth sign-out",
  destroy: "DeleteSession ÷ express-session destroy",
};

function figuresOf({ perSecond, p50Ms, p99Ms, cpuMicroseconds, databaseCpuMicroseconds }: Side): string[] {
  return [
    whole(perSecond),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    wholeIfKnown(cpuMicroseconds),
    wholeIfKnown(databaseCpuMicroseconds),
  ];
}
