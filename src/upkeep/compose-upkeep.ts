import type { Logger } from "pino";
import type { Metrics } from "../metrics.ts";
import { sessionSettings } from "../organization/settings/session-settings.ts";
import type { Change } from "../storage/aggregate.ts";
import type { OpenDatabase } from "../storage/database.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { UpkeepStores } from "../storage/upkeep-stores.ts";
import { BulkEndings } from "./bulk-endings.ts";
import { countCompactor } from "./compact-counts.ts";
import { eraser } from "./erase.ts";
import { folder } from "./fold.ts";
import { LEFTOVER_DAYS, leftoverRemover, sessionRemover } from "./remove.ts";
import { sweeper } from "./sweep.ts";
import { UpkeepWorker } from "./upkeep-worker.ts";
import { userEndingsWriter } from "./user-endings.ts";
import { vacuumer } from "./vacuum.ts";
import type { EndingDependencies } from "./write-down.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

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
  organizations,
  stores,
  engine,
  logger,
  metrics,
}: {
  events: EventRepository;
  organizations: OrganizationRepository;
  stores: UpkeepStores;
  engine: OpenDatabase["engine"];
  logger: Logger;
  metrics: Metrics;
}): Upkeep {
  const { upkeep } = stores;
  const ended = metrics.counter("gatehouse_endings_written_total", "Endings written down in the background.");
  const dependencies: EndingDependencies = { events, upkeep, onEnded: (reason) => ended.add({ reason }) };
  const folded = metrics.counter(
    "gatehouse_sessions_folded_total",
    "Ended sessions whose events became one.",
  );
  const removed = metrics.counter(
    "gatehouse_sessions_removed_total",
    "Ended sessions removed for their age.",
  );
  const erased = metrics.counter("gatehouse_users_erased_total", "Removed users whose data was erased.");
  metrics.gauge(
    "gatehouse_upkeep_waiting_seconds",
    "How long the oldest of what is to be written down or erased has been waiting, on all servers.",
    async () =>
      (await upkeep.waiting()).map(({ task, seconds }) => ({
        labels: { task },
        value: Math.max(0, seconds),
      })),
  );
  const retentionDays = async () => (await sessionSettings({ organizations }, undefined)).retention;
  const foldAfter = async () => (await retentionDays()).foldAfterDays;
  const removeAfter = async () => (await retentionDays()).removeAfterDays;
  const leftoverAfter = async () => LEFTOVER_DAYS;
  const bulkEndings = new BulkEndings(dependencies);
  const worker = new UpkeepWorker(
    [
      { name: "bulk endings", everyMs: 5 * SECOND, run: bulkEndings.run },
      { name: "user endings", everyMs: 5 * SECOND, run: userEndingsWriter(dependencies) },
      { name: "sweep", everyMs: SECOND, run: sweeper(dependencies) },
      { name: "compact session counts", everyMs: SECOND, run: countCompactor(stores) },
      {
        name: "erase users",
        everyMs: 5 * SECOND,
        run: eraser({ ...stores, onErased: () => erased.add() }),
      },
      {
        name: "remove sessions",
        everyMs: MINUTE,
        run: sessionRemover({
          ...stores,
          days: removeAfter,
          onRemoved: (count) => count > 0 && removed.add({}, count),
        }),
      },
      {
        name: "fold sessions",
        everyMs: MINUTE,
        run: folder({ ...stores, days: foldAfter, onFolded: (count) => folded.add({}, count) }),
      },
      {
        name: "remove bulk endings",
        everyMs: MINUTE,
        run: leftoverRemover("endings", { ...stores, days: removeAfter }),
      },
      {
        name: "remove messages",
        everyMs: MINUTE,
        run: leftoverRemover("notifications", { ...stores, days: leftoverAfter }),
      },
      {
        name: "remove sign-ins at providers",
        everyMs: MINUTE,
        run: leftoverRemover("idp_intents", { ...stores, days: leftoverAfter }),
      },
      ...(engine === "pglite" ? [{ name: "vacuum", everyMs: MINUTE, run: vacuumer(upkeep) }] : []),
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
    heard: ({ events: appended }) => {
      if (appended.some(({ type }) => endsSessions.has(type))) worker.wake("user endings");
    },
  };
}

const endsSessions = new Set(["user.locked", "user.deactivated", "user.removed", "user.sessions.ended"]);
