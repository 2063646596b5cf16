import type { Child } from "./child.ts";
import type { Load, LoadGenerator } from "./load-generator.ts";
import type { Rounds } from "./plan.ts";
import type { Node } from "./stage.ts";
import { encodeCall, type Protocol, type Rpc, type Session } from "./wire.ts";

/** Requests of a server's own sessions, as part of a load. */
export type SessionSupply = {
  /**
   * GetSession: of the same thousand sessions, again and again. DeleteSession: each of another session that nobody has
   * ended, `count` of them.
   */
  load(order: {
    rpc: Rpc;
    protocol: Protocol;
    count: number;
  }): Promise<Pick<Load, "origin" | "serverPid" | "protocol" | "requests" | "atMost">>;
};

const READ_SESSIONS = 1_000;
const ASSUMED_RATE = 5_000;
/** Sessions a round gets beyond what the last one used in the same time. */
const HEADROOM = 1.4;

/** How many requests a round may need: more than the last one of its kind, if there was one. */
export function enoughFor(
  { warmupSeconds, seconds }: Pick<Rounds, "warmupSeconds" | "seconds">,
  last: { perSecond: number } | undefined,
): number {
  return Math.ceil((last?.perSecond ?? ASSUMED_RATE) * (warmupSeconds + seconds) * HEADROOM);
}

/** @param node where sessions are made, as the administrator */
export function createSupply(generator: Child<LoadGenerator>, { origin, pid, bearer }: Node): SessionSupply {
  let readSessions: Promise<Session[]> | undefined;
  const make = (count: number) => generator.call("createSessions", { origin, bearer, count });
  return {
    async load({ rpc, protocol, count }) {
      const once = rpc === "DeleteSession";
      readSessions ??= once ? undefined : make(READ_SESSIONS);
      const sessions = await (once ? make(count) : readSessions!);
      const requests = sessions.map((session) => encodeCall(protocol, rpc, session, bearer));
      return { origin, serverPid: pid, protocol, requests, atMost: once ? requests.length : undefined };
    },
  };
}
