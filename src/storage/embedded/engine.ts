import { setFlagsFromString } from "node:v8";
import { PGlite } from "@electric-sql/pglite";
import { SYNCS_DIRECTORIES } from "../synced-files.ts";
import { DurableFiles } from "./durable-files.ts";

// Of code it has optimized V8 frees the former version, at times one it knows nothing of any more; that ends the process
// (nodejs/node#64500). A V8 without this flag ignores it.
setFlagsFromString("--no-wasm-code-gc");

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
 * @param onFault hears why nobody knows any more what the engine has kept, or would answer next; it must not be used
 *   again, nor be returned to: an aborted PostgreSQL may wait for itself
 */
export function openEngine(directory: string, onFault: (reason: Error) => void): Promise<PGlite> {
  let panic: string | undefined;
  const files = new DurableFiles(directory, (reason) => {
    onFault(reason instanceof Error ? reason : new Error(panic ?? `PostgreSQL aborted ${reason}`.trim()));
  });
  return PGlite.create({
    fs: files,
    startParams,
    // The log of PostgreSQL, statements and all, of which only the last words are wanted.
    onStderr: (line) => {
      panic ??= /PANIC: +(.*)/.exec(line)?.[1];
      return false;
    },
  });
}

/** Makes the files of a new database in an empty directory. They are not synced. */
export async function createEngine(directory: string): Promise<void> {
  const initDbStartParams = ["-c", `shared_buffers=${SHARED_BUFFERS}`];
  const engine = await PGlite.create({ dataDir: directory, initDbStartParams });
  await engine.close();
}

/** An embedded database that is gone when it is closed. */
export const openEngineInMemory = (): Promise<PGlite> => PGlite.create();
