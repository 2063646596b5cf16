import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A running Gatehouse. */
export type GatehouseProcess = {
  pid: number;
  origin: string;
  /** The administrator's token. */
  bearer: string;
  stop(): Promise<void>;
};

const START_TIMEOUT_MS = 30_000;

/**
 * Starts Gatehouse as anybody does, `gatehouse serve`, every option at its default but the three it cannot do without:
 * database, keys and a free port. Its log, one line a call, goes to a file.
 * @param directory where that file goes
 * @throws Error with its last words, if it does not come up
 */
export async function startGatehouse(databaseUrl: string, directory: string): Promise<GatehouseProcess> {
  const bearer = randomBytes(32).toString("base64url");
  const logPath = join(directory, "gatehouse.log");
  const log = openSync(logPath, "a");
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("../src/main.ts", import.meta.url)), "serve"],
    {
      stdio: ["ignore", log, log],
      env: {
        ...process.env,
        GATEHOUSE_LISTEN: "127.0.0.1:0",
        GATEHOUSE_DATABASE_URL: databaseUrl,
        GATEHOUSE_DATA_DIR: join(directory, "data"),
        GATEHOUSE_MASTER_KEY: randomBytes(32).toString("hex"),
        GATEHOUSE_ADMIN_TOKEN: bearer,
      },
    },
  );
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS && child.exitCode === null; waitedMs += 50) {
    await sleep(50);
    const origin = /"url":"([^"]+)"/.exec(await readFile(logPath, "utf8"))?.[1];
    if (origin !== undefined) return { pid: child.pid!, origin, bearer, stop };
  }
  if (child.exitCode === null) await stop();
  throw new Error(`Gatehouse did not start:\n${await readFile(logPath, "utf8")}`);
}
