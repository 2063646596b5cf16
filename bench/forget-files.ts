import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Has the system drop what it keeps in memory of all files in a directory and below, as far as it is on disk already.
 *
 * It is advice that GNU's `dd` gives for a file it reads nothing of; needs no privileges. Elsewhere nothing happens.
 */
export async function forgetFiles(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  // One process for many files: there are some hundred of them in each database.
  const script = 'for file; do dd if="$file" iflag=nocache count=0 status=none || exit; done';
  for (let at = 0; at < files.length; at += 1_000) {
    const child = spawn("sh", ["-c", script, "sh", ...files.slice(at, at + 1_000)], { stdio: "ignore" });
    await once(child, "exit");
  }
}
