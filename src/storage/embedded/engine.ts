import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { makeDirectory, syncDirectory, syncTree } from "../synced-files.ts";
import { DurableFiles } from "./durable-files.ts";

/**
 * Of PostgreSQL's 128 MB, every start touches each page. What does not fit is read from the operating system's cache.
 */
const SHARED_BUFFERS = "32MB";

/**
 * How PGlite starts PostgreSQL, but with fsync; `fsync` in postgresql.conf can still turn it off. Not on Windows,
 * which cannot sync a directory.
 */
const startParams = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F" || process.platform === "win32"),
  // Emscripten answers fdatasync itself. For WAL segments, DurableFiles makes one of it again.
  "-c",
  "wal_sync_method=fsync",
];

/**
 * Opens the embedded database in this thread.
 * @param directory its files, made if missing
 * @param onFailure hears that the disk refused to keep what was written; the engine must not be used any more
 */
export async function openEngine(directory: string, onFailure: (error: unknown) => void): Promise<PGlite> {
  const open = () =>
    PGlite.create({
      fs: new DurableFiles(directory, onFailure),
      startParams,
      initDbStartParams: ["-c", `shared_buffers=${SHARED_BUFFERS}`],
    });
  const mark = `${directory}-unfinished`;
  // A process killed while it makes the database leaves files that no start can use. So they are marked until they are
  // whole, and marked ones are made anew: nobody was promised anything in them.
  if (existsSync(mark)) await rm(directory, { recursive: true, force: true });
  else if (existsSync(join(directory, "PG_VERSION"))) return open();
  await makeDirectory(dirname(directory));
  await writeFile(mark, "", { flush: true });
  await syncDirectory(dirname(mark));
  await makeDirectory(directory);
  const engine = await open();
  await syncTree(directory);
  await rm(mark);
  await syncDirectory(dirname(mark));
  return engine;
}

/** An embedded database that is gone when it is closed. */
export const openEngineInMemory = (): Promise<PGlite> => PGlite.create();
