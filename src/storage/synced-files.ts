import { type FileHandle, mkdir, open, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Whether directories can be synced: Windows opens none. */
export const SYNCS_DIRECTORIES = process.platform !== "win32";

/** Makes a directory and those above it that are missing, so that they are there after a power cut. */
export async function makeDirectory(path: string): Promise<void> {
  const topmost = await mkdir(resolve(path), { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  for (let made = resolve(path); made.length >= topmost.length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

/** Has names that were added to a directory, or taken from it, survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  if (SYNCS_DIRECTORIES) await syncAndClose(await open(path, "r"));
}

/** Has everything below a directory survive a power cut. */
export async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await syncTree(path);
      else await syncAndClose(await open(path, "r+"));
    }),
  );
  await syncDirectory(directory);
}

async function syncAndClose(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
