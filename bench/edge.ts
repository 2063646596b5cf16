import { type Child, startChild } from "./child.ts";
import type { EdgeServer } from "./edge-server.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { Rounds } from "./plan.ts";
import { median, type Round, ratios, type Spread, spreadOf, spreadOfKnown, summarize } from "./statistics.ts";
import { emptyAnswer, encodeCall } from "./wire.ts";

/** A unary call whose method does nothing, through the whole transport, beside Node's own HTTP module. */
export type EdgeResult = {
  protocol: EdgeProtocol;
  edge: Side;
  /** The stock adapter in the edge's place. */
  stock: Side;
  /** A handler that reads the request and answers the same message every time. */
  bare: Side;
  /** Requests per second, to the bare handler's. */
  toBare: Spread;
  stockToBare: Spread;
  /** Processor time of the server for a request, edge to bare; undefined where the system does not tell. */
  cpuToBare: Spread | undefined;
};

type Side = Round & { generatorCores: number };

/** gRPC goes over HTTP/2 with prior knowledge, Connect JSON over HTTP/1.1. */
const protocols = ["gRPC", "Connect JSON"] as const;
type EdgeProtocol = (typeof protocols)[number];

const sides = ["edge", "bare", "stock"] as const;
type Rounded = Record<(typeof sides)[number], LoadedRound[]>;

const CALLERS = 64;
const SESSIONS = 1_000;

/** DeleteSession without a session behind it: listener, edge, interceptors, codec, access log. A process for each side. */
export async function measureEdge(
  { rounds, ...length }: Rounds,
  onProgress: (step: string) => void,
): Promise<EdgeResult[]> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const start = async (call: (server: Child<EdgeServer>) => Promise<string>) => {
    const server = undo.use(startChild<EdgeServer>("edge-server.ts"));
    return { origin: await call(server), serverPid: server.pid };
  };
  const edge = await start((server) => server.call("startTransport", "fast"));
  const stock = await start((server) => server.call("startTransport", "stock"));
  const cells = await Promise.all(
    protocols.map(async (protocol) => {
      const order = { http2: protocol === "gRPC", answer: emptyAnswer(protocol, "DeleteSession") };
      const bare = await start((server) => server.call("startBare", order));
      const measured: Rounded = { edge: [], bare: [], stock: [] };
      return { protocol, servers: { edge, stock, bare }, measured };
    }),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const { protocol, servers, measured } of cells) {
      onProgress(`round ${round} of ${rounds}: an empty call by ${protocol}`);
      const load = { protocol, requests: requestsOf(protocol), callers: CALLERS, ...length };
      for (const side of round % 2 === 1 ? sides : sides.toReversed())
        measured[side].push(await generator.call("run", { ...load, ...servers[side] }));
    }
  }
  return cells.map(({ protocol, measured: { edge, stock, bare } }) => ({
    protocol,
    edge: summarizeSide(edge),
    stock: summarizeSide(stock),
    bare: summarizeSide(bare),
    toBare: ratios(edge, bare),
    stockToBare: ratios(stock, bare),
    cpuToBare: spreadOfKnown(
      edge.map(({ cpuMicroseconds }, index) => {
        const bareCpu = bare[index]!.cpuMicroseconds;
        return cpuMicroseconds && bareCpu && cpuMicroseconds / bareCpu;
      }),
    ),
  }));
}

function requestsOf(protocol: EdgeProtocol) {
  return Array.from({ length: SESSIONS }, (_, index) => {
    const sessionId = `0197a000-0000-7000-8000-${String(index).padStart(12, "0")}`;
    // As long as real ones.
    const session = { sessionId, sessionToken: "t".repeat(110) };
    return encodeCall(protocol, "DeleteSession", session, "b".repeat(43));
  });
}

const summarizeSide = (rounds: LoadedRound[]): Side => ({
  ...summarize(rounds),
  generatorCores: median(rounds.map(({ generatorCores }) => generatorCores)),
});

export function edgeTable(results: EdgeResult[]): string[] {
  return [
    `**An empty call through the whole transport**, interceptors and access log included, ${CALLERS} callers, against a handler of \`node:http\` or \`node:http2\` that answers the same message. Ratio of requests per second: median (least–most).`,
    "",
    "| protocol | edge ÷ bare | CPU × | stock adapter ÷ bare | edge: requests/s | p99 ms | CPU µs | bare: requests/s | p99 ms | CPU µs | load generator, cores |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...results.map(({ protocol, edge, bare, toBare, stockToBare, cpuToBare }) =>
      row([
        protocol,
        spread(toBare),
        cpuToBare ? spread(cpuToBare) : "–",
        spread(stockToBare),
        ...figures(edge),
        ...figures(bare),
        spread(spreadOf([edge.generatorCores, bare.generatorCores])),
      ]),
    ),
  ];
}

const figures = ({ perSecond, p99Ms, cpuMicroseconds }: Side): string[] => [
  whole(perSecond),
  milliseconds(p99Ms),
  wholeIfKnown(cpuMicroseconds),
];
