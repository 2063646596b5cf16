import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CreateSessionRequestSchema,
  CreateSessionResponseSchema,
} from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { answerCalls } from "./child.ts";
import type { HttpClient } from "./http-clients.ts";
import { openLeanHttp1 } from "./lean-http1.ts";
import { openLeanHttp2 } from "./lean-http2.ts";
import { closedLoop, type Loop, openLoop, type Send } from "./loops.ts";
import { familyCpuSeconds } from "./process-use.ts";
import { percentile, type Round } from "./statistics.ts";
import { encodeGrpcCall, messageOf, type Request, type Session, type Wire } from "./wire.ts";

export type Load = {
  origin: string;
  /** Process ids of the server and, if it has one, of the database: with their children's, what their time is read of. */
  serverPid: number;
  databasePid?: number | undefined;
  /** What success looks like. */
  protocol: Wire;
  /** Sent in turns. */
  requests: readonly Request[];
  /** The round ends after so many at the latest. */
  atMost?: number | undefined;
  /** Requests on their way at any moment, at most. */
  callers: number;
  /** Requests are due at this rate; without one each caller sends its next when it has its last answer. */
  perSecond?: number;
  warmupSeconds: number;
  seconds: number;
};

/** A round, and how much of one core the generator itself needed: near 1, it was the limit and not the server. */
export type LoadedRound = Round & {
  /** Requests answered, those of the warm-up too. */
  answered: number;
  generatorCores: number;
};

export type LoadGenerator = {
  run(load: Load): Promise<LoadedRound>;
  createSessions(order: { origin: string; bearer: string; count: number }): Promise<Session[]>;
};

async function run(load: Load): Promise<LoadedRound> {
  const { origin, protocol, requests, callers, perSecond, atMost = Infinity } = load;
  const client = protocol === "gRPC" ? openLeanHttp2(origin, callers) : openLeanHttp1(origin, callers);
  let next = 0;
  const send: Send = (caller) => {
    if (next >= atMost) return undefined;
    return answered(client, requests[next++ % requests.length]!, caller, protocol);
  };
  const phase = (seconds: number): Promise<Loop> =>
    perSecond === undefined
      ? closedLoop({ callers, seconds }, send)
      : openLoop({ callers, seconds, perSecond }, send);
  try {
    const warmup = await phase(load.warmupSeconds);
    const [before, ownBefore] = [cpuOf(load), process.cpuUsage()];
    const { latencies, seconds } = await phase(load.seconds);
    const [after, own] = [cpuOf(load), process.cpuUsage(ownBefore)];
    const count = latencies.length;
    if (count === 0) throw new Error(`${requests[0]?.path}: no request was answered in ${load.seconds} s`);
    const used = (of: keyof typeof after) =>
      after[of] === undefined || before[of] === undefined ? undefined : after[of] - before[of];
    const each = (all: number | undefined) => all && (all * 1e6) / count;
    const [server, database] = [used("server"), used("database")];
    return {
      answered: warmup.latencies.length + count,
      perSecond: count / seconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMicroseconds: each(server),
      databaseCpuMicroseconds: each(database),
      generatorCores: (own.user + own.system) / 1e6 / seconds,
    };
  } finally {
    client.close();
  }
}

function cpuOf({ serverPid, databasePid }: Load) {
  return {
    server: familyCpuSeconds(serverPid),
    database: databasePid === undefined ? undefined : familyCpuSeconds(databasePid),
  };
}

async function answered(
  client: HttpClient,
  request: Request,
  caller: number,
  protocol: Wire,
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
  const client = openLeanHttp2(origin, CREATING_CALLERS);
  const sessions: Session[] = [];
  let ordered = 0;
  try {
    await closedLoop({ callers: CREATING_CALLERS, seconds: Infinity }, (caller) => {
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
