import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, openApi, type Target } from "./api.ts";
import { answerCalls } from "./child.ts";
import { percentile } from "./statistics.ts";

/** A day's life of sessions. */
export type DayCaller = {
  /** @returns the median latency in milliseconds */
  create(order: Target & { userIds: readonly string[]; count: number }): Promise<number>;
  /** Changes every fourth of the sessions made since the last time, and ends every second; the others expire. */
  finish(target: Target): Promise<{ ended: number; expiring: number; lifetimeHours: number }>;
  /** Leaves the sessions made on a server as they are. */
  forget(target: Target): Promise<void>;
};

const CALLERS = 4;
/** They are over before the next day begins. */
const LIFETIME_HOURS = 12;

const { createSession, setSession, deleteSession } = SessionService.method;

/** By the server they are on. */
const made = new Map<string, string[]>();

const caller: DayCaller = {
  async create({ userIds, count, ...target }) {
    const latencies: number[] = [];
    const sessionIds = made.get(target.origin) ?? [];
    made.set(target.origin, sessionIds);
    await forEach(target, count, async (api, index) => {
      const startedAt = performance.now();
      const { sessionId } = await api.call(createSession, {
        checks: { user: { search: { case: "userId", value: userIds[index % userIds.length]! } } },
        metadata: { device: Buffer.from("laptop") },
        userAgent: {
          fingerprintId: `device-${index}`,
          ip: "192.0.2.7",
          description: "Firefox 140 on Linux",
        },
        lifetime: { seconds: BigInt(LIFETIME_HOURS * 3_600) },
      });
      latencies.push(performance.now() - startedAt);
      sessionIds.push(sessionId);
    });
    return percentile(latencies, 0.5);
  },
  async finish(target) {
    const sessionIds = made.get(target.origin)!;
    made.delete(target.origin);
    await forEach(target, sessionIds.length, async (api, index) => {
      const sessionId = sessionIds[index]!;
      if (index % 4 < 1)
        await api.call(setSession, { sessionId, metadata: { place: Buffer.from("office") } });
      if (index % 2 === 0) await api.call(deleteSession, { sessionId });
    });
    const ended = Math.ceil(sessionIds.length / 2);
    return { ended, expiring: sessionIds.length - ended, lifetimeHours: LIFETIME_HOURS };
  },
  async forget({ origin }) {
    made.delete(origin);
  },
};

async function forEach(
  target: Target,
  count: number,
  work: (api: Api, index: number) => Promise<void>,
): Promise<void> {
  const api = openApi(target, CALLERS);
  let next = 0;
  try {
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        while (next < count) await work(api, next++);
      }),
    );
  } finally {
    api.close();
  }
}

answerCalls(caller);
