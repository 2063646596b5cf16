import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { makeDirectory, syncDirectory, syncTree } from "../synced-files.ts";

/**
 * Makes the files of the embedded database if they are not there. A process killed while it does leaves files that no
 * start can use, so they get their name when they are whole.
 * @param directory where they shall be; what is beside it with the same name and `-unfinished-` belongs to this
 */
export async function createDatabase(directory: string): Promise<void> {
  if (existsSync(join(directory, "PG_VERSION"))) return;
  const parent = dirname(directory);
  await makeDirectory(parent);
  const prefix = `${basename(directory)}-unfinished-`;
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix))
      await rm(join(parent, name), { recursive: true, force: true, maxRetries: 10 });
  }
  const unfinished = await mkdtemp(join(parent, prefix));
  await makeFiles(unfinished);
  await syncTree(unfinished);
  await rename(unfinished, directory);
  await syncDirectory(parent);
}

async function makeFiles(directory: string): Promise<void> {
  const script = fileURLToPath(new URL("./first-start.ts", import.meta.url));
  const child = spawn(process.execPath, [script, directory], {
    stdio: ["ignore", "ignore", "pipe"],
    // Ctrl+C is for this process, which waits for the end of the start.
    detached: true,
    windowsHide: true,
  });
  const [[code, signal], complaint] = await Promise.all([once(child, "close"), text(child.stderr)]);
  if (code === 0) return;
  throw new Error(`the embedded database could not be made: ${complaint || `${signal ?? code}`}`);
}
