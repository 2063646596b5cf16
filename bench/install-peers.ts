import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const directory = fileURLToPath(new URL(".", import.meta.url));

/**
 * Installs `bench/package.json`, once; from the lockfile beside it, and without running anybody's scripts.
 * @throws Error with npm's words, if that fails
 */
export async function installPeers(): Promise<void> {
  if (existsSync(new URL("node_modules/.package-lock.json", import.meta.url))) return;
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
  await promisify(execFile)("npm", ["ci", ...quiet], { cwd: directory });
}
