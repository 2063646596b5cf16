import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../test/support/postgres.ts";
import { answerCalls } from "./child.ts";
import { type GatehouseProcess, startGatehouse } from "./gatehouse-process.ts";

/**
 * Everything that must not outlive the run: PostgreSQL, Gatehouse and their files. A process of its own, so that all
 * of it goes even if the run itself is killed.
 */
export type Stage = {
  /** @returns what the server calls itself */
  startPostgres(nothing: undefined): Promise<string>;
  /** @returns its URL */
  createDatabase(name: string): Promise<string>;
  startGatehouse(databaseUrl: string): Promise<Pick<GatehouseProcess, "pid" | "origin" | "bearer">>;
  /** @returns the path of a new temporary directory */
  createDirectory(nothing: undefined): Promise<string>;
};

// Durable, as shipped. Beyond that the tables fit into memory, and no checkpoint falls into just one side's round.
const settings = ["fsync=on", "shared_buffers=512MB", "max_wal_size=16GB", "checkpoint_timeout=1h"];

const undo = new AsyncDisposableStack();
let postgres: Awaited<ReturnType<typeof startPostgres>>;

const stage: Stage = {
  async startPostgres() {
    postgres = await startPostgres(settings.flatMap((setting) => ["-c", setting]));
    undo.defer(() => postgres.remove());
    const client = new pg.Client({ connectionString: postgres.url("postgres") });
    await client.connect();
    try {
      const { rows } = await client.query<{ server_version: string }>("SHOW server_version");
      const { rows: fsync } = await client.query<{ fsync: string }>("SHOW fsync");
      return `PostgreSQL ${rows[0]!.server_version}, fsync ${fsync[0]!.fsync}`;
    } finally {
      await client.end();
    }
  },
  async createDatabase(name) {
    await postgres.createDatabase(name);
    return postgres.url(name);
  },
  async startGatehouse(databaseUrl) {
    const { pid, origin, bearer, stop } = await startGatehouse(
      databaseUrl,
      await stage.createDirectory(undefined),
    );
    undo.defer(stop);
    return { pid, origin, bearer };
  },
  async createDirectory() {
    const directory = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
    undo.defer(() => rm(directory, { recursive: true, force: true }));
    return directory;
  },
};

answerCalls(stage, () => undo.disposeAsync());
