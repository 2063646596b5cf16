import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { type Config, ConfigError, withoutPassword } from "./config.ts";
import { Metrics } from "./metrics.ts";
import { projections } from "./projections/projections.ts";
import { rebuildProjections, type Verification, verifyProjections } from "./projections/replay.ts";
import { DataDirectory } from "./storage/data-directory.ts";
import { type OpenDatabase, openPglite, openPostgres } from "./storage/database.ts";
import { EventRepository } from "./storage/event-repository.ts";
import { migrate } from "./storage/migrate.ts";
import { OrganizationRepository } from "./storage/organization-repository.ts";
import { SYNCS_DIRECTORIES } from "./storage/synced-files.ts";
import { upkeepStores } from "./storage/upkeep-stores.ts";
import { composeUpkeep } from "./upkeep/compose-upkeep.ts";
import type { TaskTotal } from "./upkeep/upkeep-worker.ts";

/** Hears what takes a while: "applying 4 migrations". */
export type Progress = (step: string) => void;

/** The database without a server around it, for the command line. */
export type Store = {
  migrate(onProgress?: Progress): Promise<{ applied: string[] }>;
  verifyProjections(): Promise<Verification>;
  rebuildProjections(): Promise<{ rebuilt: number }>;
  /** All that servers do in the background, to the end. @returns how much, by task */
  maintain(): Promise<Record<string, TaskTotal>>;
  close(): Promise<void>;
};

/** @throws DomainError `storage.unavailable`, `storage.locked` if a server has the embedded database open */
export async function openStore(config: Config, onProgress?: Progress): Promise<Store> {
  const { db, engine, close } = await openDatabase(config, { onProgress });
  return {
    migrate: async (progress) => ({ applied: await migrate(db, progress) }),
    verifyProjections: () => verifyProjections(db, projections),
    rebuildProjections: () => rebuildProjections(db, projections),
    maintain: () => {
      const { worker } = composeUpkeep({
        events: new EventRepository(db, projections),
        organizations: new OrganizationRepository(db),
        stores: upkeepStores(db),
        engine,
        // What goes wrong ends the command.
        logger: pino({ level: "silent" }),
        metrics: new Metrics(),
      });
      return worker.runToEnd();
    },
    close,
  };
}

/** An open database, where it is in words, and the directory its secrets are kept in. */
export type OpenedStore = OpenDatabase & { directory: DataDirectory; description: string };

/**
 * Opens the database the configuration names: PostgreSQL, or the embedded one under a lock.
 * @throws DomainError `storage.locked` if another process has the data directory open
 */
export async function openDatabase(
  config: Config,
  { onProgress, answerTimeoutMs }: { onProgress?: Progress | undefined; answerTimeoutMs?: number },
): Promise<OpenedStore> {
  const directory = new DataDirectory(config.dataDir);
  if (config.databaseUrl !== undefined) {
    const opened = openPostgres(config.databaseUrl, {
      poolSize: config.databasePoolSize,
      ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
    });
    return { ...opened, directory, description: `PostgreSQL ${withoutPassword(config.databaseUrl)}` };
  }
  await directory.create();
  directory.lock();
  onProgress?.("opening the embedded database");
  const opened = await openPglite(directory.databasePath, endProcess).catch((error) => {
    directory.unlock();
    throw error;
  });
  return {
    ...opened,
    directory,
    description: `PGlite in ${directory.databasePath}${SYNCS_DIRECTORIES ? "" : " (may not survive a power cut)"}`,
    close: async () => {
      await opened.close();
      directory.unlock();
    },
  };
}

/** Nothing can be answered without the database, and a new process recovers what was acknowledged. */
function endProcess(reason: Error): never {
  process.stderr.write(`gatehouse: the embedded database stopped: ${reason.message}\n`);
  process.exit(1);
}

// A migration takes the time it takes, and so does waiting for another node's: not on connections with a time limit.
export async function migrateAtLeisure(
  config: Config,
  { db }: OpenDatabase,
  onProgress?: Progress,
): Promise<void> {
  if (config.databaseUrl === undefined) return void (await migrate(db, onProgress));
  const unhurried = openPostgres(config.databaseUrl, { poolSize: 1 });
  try {
    await migrate(unhurried.db, onProgress);
  } finally {
    await unhurried.close();
  }
}

/**
 * The configured master key, or the embedded server's own, made at its first start.
 * @throws ConfigError with PostgreSQL and no key: another one would make every token and secret unreadable
 */
export async function masterKeyOf(config: Config, directory: DataDirectory): Promise<Uint8Array> {
  if (config.masterKey !== undefined) return config.masterKey;
  if (config.databaseUrl !== undefined) {
    throw new ConfigError(
      "GATEHOUSE_MASTER_KEY must be given with a PostgreSQL database: 64 hexadecimal characters",
    );
  }
  return directory.masterKey(() => randomBytes(32));
}
