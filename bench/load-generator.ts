import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CreateSessionRequestSchema,
  CreateSessionResponseSchema,
} from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { answerCalls } from "./child.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type HttpClient, openHttp1, openHttp2 } from "./http-clients.ts";
import { percentile, type Round } from "./statistics.ts";
import {
  encodeCall,
  encodeGrpcCall,
  messageOf,
  type Protocol,
  type Request,
  type Rpc,
  type Session,
} from "./wire.ts";

export type Load = {
  origin: string;
  /** Process id of the server, whose processor time is read. */
  serverPid: number;
  bearer: string;
  protocol: Protocol;
  rpc: Rpc;
  sessions: readonly Session[];
  /** Each session serves one request, and the round ends with the last one at the latest. */
  once: boolean;
  /** Requests on their way at any moment. */
  callers: number;
  warmupSeconds: number;
  seconds: number;
};

/** A round, and how much of one core the generator itself needed: near 1, it was the limit and not the server. */
export type LoadedRound = Round & { generatorCores: number };

export type LoadGenerator = {
  run(load: Load): Promise<LoadedRound>;
  createSessions(order: { origin: string; bearer: string; count: number }): Promise<Session[]>;
};

/** Calls `send` from so many loops at once, each waiting for its answer before it goes on, until one sends nothing. */
async function closedLoop(
  callers: number,
  send: (caller: number) => Promise<unknown> | undefined,
): Promise<void> {
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let sent = send(caller); sent !== undefined; sent = send(caller)) await sent;
    }),
  );
}

async function run(load: Load): Promise<LoadedRound> {
  const { origin, serverPid, protocol, rpc, callers } = load;
  const requests = load.sessions.map((session) => encodeCall(protocol, rpc, session, load.bearer));
  const client = protocol === "gRPC" ? openHttp2(origin, callers) : openHttp1(origin, callers);
  let next = 0;
  const phase = async (seconds: number) => {
    const latencies: number[] = [];
    const startedAt = performance.now();
    const endsAt = startedAt + seconds * 1_000;
    await closedLoop(callers, (caller) => {
      const sentAt = performance.now();
      if (sentAt >= endsAt || (load.once && next >= requests.length)) return undefined;
      const request = requests[next++ % requests.length]!;
      return answered(client, request, caller, protocol).then(() =>
        latencies.push(performance.now() - sentAt),
      );
    });
    return { latencies, seconds: (performance.now() - startedAt) / 1_000 };
  };
  try {
    await phase(load.warmupSeconds);
    const [cpuBefore, ownBefore] = [cpuSeconds(serverPid), process.cpuUsage()];
    const { latencies, seconds } = await phase(load.seconds);
    const [cpuAfter, own] = [cpuSeconds(serverPid), process.cpuUsage(ownBefore)];
    const count = latencies.length;
    if (count === 0) throw new Error(`${protocol} ${rpc}: no request was answered in ${load.seconds} s`);
    return {
      perSecond: count / seconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMicroseconds: cpuBefore === undefined ? undefined : ((cpuAfter! - cpuBefore) * 1e6) / count,
      generatorCores: (own.user + own.system) / 1e6 / seconds,
    };
  } finally {
    client.close();
  }
}

async function answered(
  client: HttpClient,
  request: Request,
  caller: number,
  protocol: Protocol,
): Promise<Uint8Array> {
  return messageOf(protocol, await client.send(request, caller));
}

const CREATING_CALLERS = 128;

/** Sessions as a sign-in page begins them: a user chosen, a user agent, some metadata, a lifetime. */
async function createSessions({
  origin,
  bearer,
  count,
}: {
  origin: string;
  bearer: string;
  count: number;
}): Promise<Session[]> {
  const message = toBinary(
    CreateSessionRequestSchema,
    create(CreateSessionRequestSchema, {
      checks: { user: { search: { case: "loginName", value: "admin" } } },
      metadata: { device: Buffer.from("laptop") },
      userAgent: { ip: "192.0.2.7", description: "Firefox 140 on Linux" },
      lifetime: { seconds: 86_400n },
    }),
  );
  const request = encodeGrpcCall("CreateSession", message, bearer);
  const client = openHttp2(origin, CREATING_CALLERS);
  const sessions: Session[] = [];
  let ordered = 0;
  try {
    await closedLoop(CREATING_CALLERS, (caller) => {
      if (ordered >= count) return undefined;
      ordered += 1;
      return answered(client, request, caller, "gRPC").then((bytes) => {
        const { sessionId, sessionToken } = fromBinary(CreateSessionResponseSchema, bytes);
        sessions.push({ sessionId, sessionToken });
      });
    });
    return sessions;
  } finally {
    client.close();
  }
}

answerCalls({ run, createSessions } satisfies LoadGenerator);
