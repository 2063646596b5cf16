import { PGlite } from "@electric-sql/pglite";
import { SYNCS_DIRECTORIES } from "../synced-files.ts";
import { DurableFiles } from "./durable-files.ts";

/** Of PostgreSQL's 128 MB, every start touches each page. What does not fit is read from the system's cache of files. */
const SHARED_BUFFERS = "32MB";

/**
 * How PGlite starts PostgreSQL, but with fsync, which needs directories to sync; `fsync` in postgresql.conf can still
 * turn it off.
 */
const startParams = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F" || !SYNCS_DIRECTORIES),
  // Emscripten answers fdatasync itself. For WAL segments, DurableFiles makes one of it again.
  "-c",
  "wal_sync_method=fsync",
];

/**
 * Opens the embedded database in this thread.
 * @param directory what `createEngine` made
 * @param onFailure hears that the disk refused to keep what was written; the engine must not be used any more
 */
export const openEngine = (directory: string, onFailure: (error: unknown) => void): Promise<PGlite> =>
  PGlite.create({ fs: new DurableFiles(directory, onFailure), startParams });

/** Makes the files of a new database in an empty directory. They are not synced. */
export async function createEngine(directory: string): Promise<void> {
  const initDbStartParams = ["-c", `shared_buffers=${SHARED_BUFFERS}`];
  const engine = await PGlite.create({ dataDir: directory, initDbStartParams });
  await engine.close();
}

/** An embedded database that is gone when it is closed. */
export const openEngineInMemory = (): Promise<PGlite> => PGlite.create();
