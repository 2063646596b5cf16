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
};

// Durability as shipped. Checkpoints are kept out of the rounds: one that falls into a round is luck, not a figure.
const postgresFlags = ["-c", "fsync=on", "-c", "max_wal_size=16GB", "-c", "checkpoint_timeout=1h"];

const undo = new AsyncDisposableStack();
let postgres: Awaited<ReturnType<typeof startPostgres>>;

const stage: Stage = {
  async startPostgres() {
    postgres = await startPostgres(postgresFlags);
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
    const directory = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
    undo.defer(() => rm(directory, { recursive: true, force: true }));
    const { pid, origin, bearer, stop } = await startGatehouse(databaseUrl, directory);
    undo.defer(stop);
    return { pid, origin, bearer };
  },
};

answerCalls(stage, () => undo.disposeAsync());
