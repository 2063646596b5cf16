import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Child, startChild } from "./child.ts";
import { cpuSeconds } from "./cpu-time.ts";
import type { EdgeServer } from "./edge-server.ts";
import { openHttp1, openHttp2 } from "./http-clients.ts";
import { median, type Spread, spreadOf } from "./statistics.ts";
import { type Answer, encodeCall, type Request } from "./wire.ts";

const execute = promisify(execFile);

export const edgeProtocols = ["gRPC", "Connect JSON"] as const;
export type EdgeProtocol = (typeof edgeProtocols)[number];
export const ways = ["fast", "stock"] as const;
export type Way = (typeof ways)[number];

/** Requests per second, and processor time of the server for each. */
type Side = { perSecond: number; cpuMicroseconds: number | undefined };

/** An empty call through the whole transport, beside a handler of Node's own that answers the same bytes. */
export type EdgeResult = {
  protocol: EdgeProtocol;
  way: Way;
  transport: Side;
  bare: Side;
  /** Requests per second, transport to bare handler. */
  ratio: Spread;
  /** Processor time, bare handler to transport: what the ratio is where nothing else is the limit. */
  cpuRatio: Spread | undefined;
};

export type EdgeRounds = { rounds: number; warmupRequests: number; requests: number };

const sent = {
  sessionId: "0197a000-0000-7000-8000-000000000000",
  sessionToken: "a-token-of-the-usual-length-a-token-of-the-usual-length",
};

/**
 * Both ways of the transport with every interceptor, and a bare handler, in turns, each in a process of its own. The
 * load comes from h2load, which needs less than any of the servers (Debian: `apt-get install nghttp2-client`).
 */
export async function measureEdge(
  { rounds, warmupRequests, requests }: EdgeRounds,
  onProgress: (step: string) => void,
): Promise<EdgeResult[]> {
  await execute("h2load", ["--version"]).catch(() => {
    throw new Error("the benchmark edge needs h2load; install nghttp2-client (Debian) or nghttp2 (Homebrew)");
  });
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-edge-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const start = () => stack.use(startChild<EdgeServer>("edge-server.ts"));

  const results: EdgeResult[] = [];
  for (const protocol of edgeProtocols) {
    const request = encodeCall(protocol, "DeleteSession", sent, "a-credential");
    const bodyFile = join(directory, protocol);
    await writeFile(bodyFile, request.body!);
    const servers = await Promise.all(ways.map((way) => startTransport(start(), way)));
    const answer = await answerOf(servers[0]!.origin, protocol, request);
    const bare = start();
    const order = { http2: protocol === "gRPC", answer };
    const sides = [
      ...servers,
      { name: "bare" as const, child: bare, origin: await bare.call("startBare", order) },
    ];
    const measured: Record<Way | "bare", Side[]> = { fast: [], stock: [], bare: [] };
    for (const { child, origin } of sides)
      await load(child, origin, protocol, request, bodyFile, warmupRequests);
    for (let round = 1; round <= rounds; round++) {
      onProgress(`round ${round} of ${rounds}: empty calls, ${protocol}`);
      for (const { name, child, origin } of round % 2 === 1 ? sides : sides.toReversed())
        measured[name].push(await load(child, origin, protocol, request, bodyFile, requests));
    }
    for (const way of ways) results.push(compared(protocol, way, measured[way], measured.bare));
  }
  return results;
}

async function startTransport(child: Child<EdgeServer>, way: Way) {
  return { name: way, child, origin: await child.call("startTransport", way) };
}

/** What the transport answers, without what Node adds to every answer by itself. */
async function answerOf(origin: string, protocol: EdgeProtocol, request: Request): Promise<Answer> {
  const client = protocol === "gRPC" ? openHttp2(origin, 1) : openHttp1(origin, 1);
  try {
    const answer = await client.send(request, 0);
    const own = Object.entries(answer.headers).filter(
      ([name]) => !/^(?::|date$|connection$|keep-alive$)/.test(name),
    );
    return { ...answer, headers: Object.fromEntries(own), trailers: { ...answer.trailers } };
  } finally {
    client.close();
  }
}

/** @throws Error if a request fails */
async function load(
  { pid }: Child<EdgeServer>,
  origin: string,
  protocol: EdgeProtocol,
  { path, headers }: Request,
  bodyFile: string,
  requests: number,
): Promise<Side> {
  const connections = protocol === "gRPC" ? ["-c", "4", "-m", "16"] : ["--h1", "-c", "64", "-m", "1"];
  const fields = Object.entries(headers)
    .filter(([name]) => name !== "content-length")
    .flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const before = cpuSeconds(pid);
  const { stdout } = await execute("h2load", [
    ...["-t", "1", "-n", String(requests), "-d", bodyFile],
    ...connections,
    ...fields,
    origin + path,
  ]);
  const after = cpuSeconds(pid);
  const [, perSecond] = /([\d.]+) req\/s/.exec(stdout) ?? [];
  const [, succeeded] = /(\d+) succeeded/.exec(stdout) ?? [];
  if (Number(succeeded) !== requests)
    throw new Error(`${protocol}: not every request was answered:\n${stdout}`);
  return {
    perSecond: Number(perSecond),
    cpuMicroseconds: before === undefined ? undefined : ((after! - before) * 1e6) / requests,
  };
}

function compared(protocol: EdgeProtocol, way: Way, transport: Side[], bare: Side[]): EdgeResult {
  const hasCpu = transport[0]!.cpuMicroseconds !== undefined;
  return {
    protocol,
    way,
    transport: middle(transport),
    bare: middle(bare),
    ratio: spreadOf(transport.map(({ perSecond }, round) => perSecond / bare[round]!.perSecond)),
    cpuRatio: hasCpu
      ? spreadOf(
          transport.map(({ cpuMicroseconds }, round) => bare[round]!.cpuMicroseconds! / cpuMicroseconds!),
        )
      : undefined,
  };
}

const middle = (sides: Side[]): Side => ({
  perSecond: median(sides.map(({ perSecond }) => perSecond)),
  cpuMicroseconds:
    sides[0]!.cpuMicroseconds === undefined ? undefined : median(sides.map((side) => side.cpuMicroseconds!)),
});
