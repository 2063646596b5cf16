import type { Config } from "../config.ts";
import type { Counts } from "../metrics.ts";
import type { RunningServer } from "../server.ts";

/** What primary and workers tell each other; all of it fit for structured cloning. */

/** What a worker says about the server it runs. */
export type ServerFacts = Pick<RunningServer, "url" | "database" | "adminToken">;

/** What a worker is to serve. */
export type WorkOrder = {
  config: Config;
  /** Whether it tells people how the start gets on. */
  showsProgress: boolean;
  /** 48 bytes, see `SharedPort`. */
  ticketKeys: Uint8Array;
};

/** Name of the counter of workers that ended without being told to. */
export const WORKERS_ENDED = "gatehouse_workers_ended_total";

/** What all workers have counted, those that have ended included, and how many serve. */
export type Totals = { counts: Counts; serving: number };

export type ToWorker =
  | { type: "start"; order: WorkOrder }
  | { type: "opened"; port: number }
  /** `fields`: what a system error has beside its message (`code`, `address`, `port`). */
  | { type: "not opened"; message: string; fields: object }
  /** Comes with a socket. */
  | { type: "connection" }
  | { type: "totals"; id: number; totals: Totals }
  | { type: "stop" };

export type FromWorker =
  /** It has everything it needs but its order. */
  | { type: "loaded" }
  /** It wants connections. */
  | { type: "open" }
  /** It has the oldest of the connections it was sent and not yet answered. */
  | { type: "taken" }
  /** One that it had taken is closed. */
  | { type: "closed" }
  /** It takes no more connections. */
  | { type: "leaving" }
  | { type: "serving"; facts: ServerFacts }
  | { type: "counted"; counts: Counts }
  | { type: "totals wanted"; id: number; counts: Counts };
