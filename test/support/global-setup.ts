import { cpSync } from "node:fs";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startServer } from "../../src/server.ts";
import { openPgliteHere, openPostgres } from "../../src/storage/database.ts";
import { type Engine, onMaintenanceDatabase } from "./databases.ts";
import { type Cast, createCast } from "./fixtures.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { scratchRoot } from "./scratch.ts";
import { testConfig } from "./test-config.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A started server's data directory: every embedded test server begins with a copy. */
    pgliteTemplate: string;
    /** A PostgreSQL database after the first start: every test database is copied from it. */
    postgresTemplate: string;
    /** The same with a cast in it, and who that is. */
    inhabited: Record<Engine, { template: string; cast: Cast }>;
  }
}

type Made = { bare: string; inhabited: { template: string; cast: Cast } };

/** What only tests want of a PostgreSQL: what it writes is dropped soon, and lies in memory until then. */
const POSTGRES_FLAGS = ["fsync=off", "full_page_writes=off", "max_wal_size=128MB"].flatMap((setting) => [
  "-c",
  setting,
]);

/** Makes one first start on each engine, and one cast; a cold start costs seconds, a copy does not. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(scratchRoot(), "gatehouse-tests-"));
  const server = await startPostgres(POSTGRES_FLAGS, scratchRoot());
  const remove = async () => {
    await server.remove();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    // One after the other: PGlite holds the process up, on a busy machine for longer than a connection may take.
    const pglite = await onPglite(directory);
    const postgres = await onPostgres(server, directory);
    project.provide("pgliteTemplate", pglite.bare);
    project.provide("postgresTemplate", postgres.bare);
    project.provide("inhabited", { pglite: pglite.inhabited, postgres: postgres.inhabited });
  } catch (error) {
    await remove();
    throw error;
  }
  return remove;
}

async function onPglite(directory: string): Promise<Made> {
  const [dataDir, bare, inhabited] = [
    join(directory, "pglite"),
    join(directory, "bare"),
    join(directory, "inhabited"),
  ];
  await (await startServer(testConfig({ dataDir }))).close();
  // Every start touches each page of the buffers; and what tests write is dropped soon.
  await appendFile(join(dataDir, "pglite", "postgresql.conf"), "shared_buffers = 8MB\nfsync = off\n");
  // A lock file is the process's own, not the data's.
  const copy = { recursive: true, filter: (path: string) => !path.endsWith("/lock") };
  cpSync(dataDir, bare, copy);
  const opened = await openPgliteHere(join(dataDir, "pglite"));
  const cast = await createCast(opened).finally(() => opened.close());
  cpSync(dataDir, inhabited, copy);
  return { bare, inhabited: { template: inhabited, cast } };
}

async function onPostgres(server: TestPostgres, directory: string): Promise<Made> {
  const [bare, inhabited] = [server.url("bare"), server.url("inhabited")];
  await server.createDatabase("bare");
  const dataDir = join(directory, "postgres");
  await (await startServer(testConfig({ dataDir, databaseUrl: bare }))).close();
  await onMaintenanceDatabase(new URL(bare), "CREATE DATABASE inhabited TEMPLATE bare");
  const opened = openPostgres(inhabited);
  const cast = await createCast(opened).finally(() => opened.close());
  return { bare, inhabited: { template: inhabited, cast } };
}
