import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config.ts";
import { afterEveryTest } from "../support/leftovers.ts";
import { ADMIN_TOKEN, edgeOfTests, MASTER_KEY } from "../support/test-config.ts";
import { until, within } from "./poll.ts";

const mainPath = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export type Exit = { code: number | null; signal: NodeJS.Signals | null };
export type LogLine = { msg: string } & Record<string, unknown>;

/** The `gatehouse` binary as its users run it: a process of its own, told everything by its environment. */
export type GatehouseProcess = {
  pid: number;
  logs: LogLine[];
  stdout(): string;
  stderr(): string;
  exit: Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it as `kill -9` does, and waits until it is gone. */
  kill(): Promise<Exit>;
};

export type ServingProcess = GatehouseProcess & { url: string; port: number };

const running = new Set<ChildProcess>();

// A failed test leaves no process behind.
afterEveryTest(() => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * What a server on this database is told; secrets are those of every test instance. It is one process, so that a signal
 * to it is one to the server.
 */
export function environmentOf(config: Partial<Config>): Record<string, string> {
  return {
    GATEHOUSE_LISTEN: "127.0.0.1:0",
    GATEHOUSE_WORKERS: "1",
    GATEHOUSE_LOG_FORMAT: "json",
    GATEHOUSE_EDGE: edgeOfTests,
    GATEHOUSE_ADMIN_TOKEN: ADMIN_TOKEN,
    GATEHOUSE_MASTER_KEY: MASTER_KEY,
    ...(config.dataDir === undefined ? {} : { GATEHOUSE_DATA_DIR: config.dataDir }),
    ...(config.databaseUrl === undefined ? {} : { GATEHOUSE_DATABASE_URL: config.databaseUrl }),
  };
}

type Spawning = {
  /** In a process group of its own, as in a terminal. */
  detached?: boolean;
  /** Its tests end it themselves; otherwise it ends with the test it was started in. */
  outlivesTest?: boolean;
};

/** Starts the binary and does not wait for anything. */
export function spawnGatehouse(
  args: string[],
  environment: Record<string, string>,
  { detached = false, outlivesTest = false }: Spawning = {},
): GatehouseProcess {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [mainPath, ...args], {
    env: { PATH, HOME, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached,
  });
  if (!outlivesTest) running.add(child);
  const logs: LogLine[] = [];
  let [output, pending, complaints] = ["", "", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    const lines = (pending + chunk).split("\n");
    pending = lines.pop()!;
    for (const line of lines) if (line.startsWith("{")) logs.push(JSON.parse(line));
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    complaints += chunk;
  });
  // "close" comes when its output has been read to the end; "exit" may come before that.
  const exit = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid!,
    logs,
    stdout: () => output,
    stderr: () => complaints,
    exit,
    signal: (signal) => void child.kill(signal),
    kill: () => {
      child.kill("SIGKILL");
      return exit;
    },
  };
}

/** `gatehouse serve`, once it listens. */
export async function serveGatehouse(
  environment: Record<string, string>,
  options?: Spawning,
): Promise<ServingProcess> {
  const gatehouse = spawnGatehouse(["serve"], environment, options);
  const url = await Promise.race([listening(gatehouse), ended(gatehouse)]);
  return { ...gatehouse, url, port: Number(new URL(url).port) };
}

/**
 * Any command, to its end.
 * @returns `stderr` without the lines that tell how far it got
 */
export async function runGatehouse(
  args: string[],
  environment: Record<string, string>,
  withinMs = 40_000,
): Promise<Exit & { stdout: string; stderr: string }> {
  const gatehouse = spawnGatehouse(args, environment);
  const exit = await within(args.join(" "), withinMs, gatehouse.exit);
  return {
    ...exit,
    stdout: gatehouse.stdout(),
    stderr: gatehouse.stderr().replace(/^.*… (done in|failed after) .*\n/gm, ""),
  };
}

/** Resolves with the log line once it is there. */
export function logged(gatehouse: GatehouseProcess, message: string): Promise<LogLine> {
  return until(`"${message}" in the log`, () => gatehouse.logs.find(({ msg }) => msg === message));
}

const listening = async (gatehouse: GatehouseProcess) => String((await logged(gatehouse, "listening")).url);

async function ended(gatehouse: GatehouseProcess): Promise<never> {
  const { code, signal } = await gatehouse.exit;
  throw new Error(`the server ended (code ${code}, signal ${signal}):\n${gatehouse.stderr()}`);
}
