import type { Logger } from "pino";
import type { Metrics } from "../metrics.ts";
import type { Change } from "../storage/aggregate.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { UpkeepRepository } from "../storage/upkeep-repository.ts";
import { Archiver, archiveWalk } from "./archive.ts";
import { BulkEndings } from "./bulk-endings.ts";
import { sweeper } from "./sweep.ts";
import { UpkeepWorker } from "./upkeep-worker.ts";
import { userEndingsWriter } from "./user-endings.ts";
import type { EndingDependencies } from "./write-down.ts";

const SECOND = 1_000;

/** The background of a server. */
export type Upkeep = {
  worker: UpkeepWorker;
  /**
   * One step of a bulk ending right away, for those who wait for its answer; or what it did to one session.
   */
  writeEndings(id: string, sessionId?: string): Promise<void>;
  /** Hears of what was appended here, so that what follows from it does not wait for its turn. */
  heard(change: Change): void;
};

export function composeUpkeep({
  events,
  upkeep,
  logger,
  metrics,
}: {
  events: EventRepository;
  upkeep: UpkeepRepository;
  logger: Logger;
  metrics: Metrics;
}): Upkeep {
  const ended = metrics.counter("gatehouse_endings_written_total", "Endings written down in the background.");
  const dependencies: EndingDependencies = { events, upkeep, onEnded: (reason) => ended.add({ reason }) };
  const archiver = new Archiver(upkeep);
  const bulkEndings = new BulkEndings(dependencies);
  const worker = new UpkeepWorker(
    [
      { name: "bulk endings", everyMs: 5 * SECOND, run: bulkEndings.run },
      { name: "user endings", everyMs: 5 * SECOND, run: userEndingsWriter(dependencies) },
      { name: "sweep", everyMs: SECOND, run: sweeper(dependencies) },
      { name: "archive", everyMs: SECOND, run: () => archiver.run() },
      { name: "archive walk", everyMs: 600 * SECOND, paceMs: 10 * SECOND, run: archiveWalk(upkeep) },
    ],
    { logger },
  );
  return {
    worker,
    writeEndings: async (id, sessionId) => {
      if (sessionId !== undefined) return bulkEndings.write(id, sessionId);
      try {
        await bulkEndings.begin(id);
      } catch (error) {
        // It is in force all the same, and what is left of it is done like the rest.
        logger.warn({ err: error, operationId: id }, "the first step of a bulk ending failed");
      }
      worker.wake("bulk endings");
    },
    heard: ({ type, id, events: appended, state }) => {
      if (type === "session" && "status" in state && state.status === "terminated") archiver.note(id);
      if (type === "user" && appended.some((event) => endsSessions.has(event.type)))
        worker.wake("user endings");
    },
  };
}

const endsSessions = new Set(["user.locked", "user.deactivated", "user.removed", "user.sessions.ended"]);
