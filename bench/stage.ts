import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { startPostgres } from "../test/support/postgres.ts";
import { answerCalls } from "./child.ts";
import { openClient } from "./database-client.ts";
import { forgetFiles } from "./forget-files.ts";
import { type GatehouseProcess, type Keys, runGatehouse, startGatehouse } from "./gatehouse-process.ts";

/**
 * Everything that must not outlive the run: PostgreSQL, Gatehouse and their files. A process of its own, so that all
 * of it goes even if the run itself is killed.
 */
export type Stage = {
  /** @returns what the server calls itself */
  startPostgres(nothing: undefined): Promise<string>;
  /** @returns its URL */
  createDatabase(name: string): Promise<string>;
  /** Its servers should be gone; if not, they lose it. A large one is in nobody's way then. */
  dropDatabase(name: string): Promise<void>;
  /** Starts PostgreSQL anew; its servers lose their connections. */
  restartPostgres(nothing: undefined): Promise<void>;
  /** Leaves nothing of the databases in memory, neither PostgreSQL's nor (where GNU's `dd` can see to that) the system's. */
  coolPostgres(nothing: undefined): Promise<void>;
  /** Any number may serve a database. `port`: by default a free one; `environment`: options besides the defaults. */
  startGatehouse(order: {
    databaseUrl: string;
    port?: number;
    environment?: Record<string, string>;
  }): Promise<Node>;
  /** It is gone when this settles; by default it ends in good order. */
  endGatehouse(order: { pid: number; signal?: "SIGTERM" | "SIGKILL" }): Promise<void>;
  /**
   * Another command of the server's, `["projections", "verify"]`.
   * @returns what it printed; an exit code other than 0 is an error
   */
  runGatehouse(order: { databaseUrl: string; args: readonly string[] }): Promise<string>;
  /** @returns the path of a new temporary directory */
  createDirectory(nothing: undefined): Promise<string>;
};

/** A server that runs. */
export type Node = Pick<GatehouseProcess, "pid" | "origin"> & Keys;

// Durable, as shipped. Beyond that the tables fit into memory, and no checkpoint falls into just one side's round.
const settings = ["fsync=on", "shared_buffers=512MB", "max_wal_size=16GB", "checkpoint_timeout=1h"];

const undo = new AsyncDisposableStack();
let postgres: Awaited<ReturnType<typeof startPostgres>>;
const nodes = new Map<number, GatehouseProcess>();
const keys: Keys = {
  masterKey: randomBytes(32).toString("hex"),
  bearer: randomBytes(32).toString("base64url"),
};
/** Commands are not waited for once nobody wants their answer. */
const over = new AbortController();
process.once("disconnect", () => over.abort());

const stage: Stage = {
  async startPostgres() {
    postgres = await startPostgres(settings.flatMap((setting) => ["-c", setting]));
    undo.defer(() => postgres.remove());
    return withClient(async (client) => {
      const { rows } = await client.query<{ server_version: string }>("SHOW server_version");
      const { rows: fsync } = await client.query<{ fsync: string }>("SHOW fsync");
      return `PostgreSQL ${rows[0]!.server_version}, fsync ${fsync[0]!.fsync}`;
    });
  },
  async createDatabase(name) {
    await postgres.createDatabase(name);
    return postgres.url(name);
  },
  async dropDatabase(name) {
    await withClient((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  },
  async restartPostgres() {
    await postgres.stop();
    await postgres.start();
  },
  async coolPostgres() {
    const directory = await withClient(async (client) => {
      await client.query("CREATE EXTENSION IF NOT EXISTS pg_buffercache");
      // What is not yet on disk can't be forgotten.
      await client.query("CHECKPOINT");
      await client.query("SELECT pg_buffercache_evict_all()");
      const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
      return rows[0]!.data_directory;
    });
    await forgetFiles(join(directory, "base"));
  },
  async startGatehouse({ databaseUrl, port, environment }) {
    const directory = await stage.createDirectory(undefined);
    const node = await startGatehouse(databaseUrl, keys, directory, port, environment);
    undo.defer(() => node.end("SIGTERM"));
    nodes.set(node.pid, node);
    return { pid: node.pid, origin: node.origin, ...keys };
  },
  async endGatehouse({ pid, signal = "SIGTERM" }) {
    await nodes.get(pid)!.end(signal);
  },
  async runGatehouse({ databaseUrl, args }) {
    const directory = await stage.createDirectory(undefined);
    return runGatehouse(args, databaseUrl, keys, directory, over.signal);
  },
  async createDirectory() {
    const directory = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
    undo.defer(() => rm(directory, { recursive: true, force: true }));
    return directory;
  },
};

async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  await using client = await openClient(postgres.url("postgres"));
  return await work(client);
}

answerCalls(stage, () => undo.disposeAsync());
