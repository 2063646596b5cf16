import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };

/** A running Gatehouse. */
export type GatehouseProcess = {
  pid: number;
  origin: string;
  /** Waits until it is gone; nothing happens if it is already. */
  end(signal: NodeJS.Signals): Promise<void>;
};

/** What all servers on a database must have in common. */
export type Keys = {
  /** 64 hexadecimal characters. */
  masterKey: string;
  /** The administrator's token. */
  bearer: string;
};

const START_TIMEOUT_MS = 30_000;

/**
 * Starts Gatehouse as `npm start` does, every option at its default but those it cannot do without:
 * database, keys and a port. It is one process, whatever the machine, so that its processor time is that of the server.
 * Its log, one line a call, goes to a file.
 * @param directory where that file goes
 * @param port by default a free one
 * @param options as environment variables, where the defaults are not what is to be measured
 * @throws Error with its last words, if it does not come up
 */
export async function startGatehouse(
  databaseUrl: string,
  keys: Keys,
  directory: string,
  port = 0,
  options: Record<string, string> = {},
): Promise<GatehouseProcess> {
  const logPath = join(directory, "gatehouse.log");
  const log = openSync(logPath, "a");
  const child = spawn(process.execPath, startArguments, {
    cwd: root,
    stdio: ["ignore", log, log],
    env: {
      ...environment(databaseUrl, keys, directory),
      GATEHOUSE_LISTEN: `127.0.0.1:${port}`,
      ...options,
    },
  });
  const exited = once(child, "exit");
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS && child.exitCode === null; waitedMs += 50) {
    await sleep(50);
    const origin = /"url":"([^"]+)"/.exec(await readFile(logPath, "utf8"))?.[1];
    if (origin !== undefined) return { pid: child.pid!, origin, end };
  }
  if (child.exitCode === null) await end("SIGTERM");
  throw new Error(`Gatehouse did not start:\n${await readFile(logPath, "utf8")}`);
}

/**
 * One of the other commands, to its end.
 * @returns what it printed
 * @throws Error with all it said, if its exit code is not 0
 */
export async function runGatehouse(
  args: readonly string[],
  databaseUrl: string,
  keys: Keys,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  // Of a million sessions there is much to compare.
  const heapMiB = Math.floor((totalmem() / 2 ** 20) * 0.75);
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMiB}`, mainPath, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment(databaseUrl, keys, directory),
    signal,
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return said.stdout;
  const words = `${said.stdout}${said.stderr}`.slice(0, 2_000);
  throw new Error(`gatehouse ${args.join(" ")} ended with exit code ${code}:\n${words}`);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const mainPath = join(root, "src/main.ts");
const [, ...startArguments] = packageJson.scripts.start.split(" ");

function environment(databaseUrl: string, { masterKey, bearer }: Keys, directory: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    GATEHOUSE_WORKERS: "1",
    GATEHOUSE_DATABASE_URL: databaseUrl,
    GATEHOUSE_DATA_DIR: join(directory, "data"),
    GATEHOUSE_MASTER_KEY: masterKey,
    GATEHOUSE_ADMIN_TOKEN: bearer,
  };
}
