import { randomUUID } from "node:crypto";
import { cpSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import type { Config } from "../../src/config.ts";
import { type OpenDatabase, openPgliteHere, openPostgres } from "../../src/storage/database.ts";
import { scratchRoot } from "./scratch.ts";

export type Engine = "pglite" | "postgres";

/** Suites that touch the database run on both. */
export const engines: readonly Engine[] = ["pglite", "postgres"];

/** After the first start: with nobody but the administrator, or with the cast in it. */
export type Template = "bare" | "inhabited";

/** A database after the first start that nobody else uses. */
export type TestDatabase = {
  /** What a server needs to run on it. */
  config: Partial<Config>;
  /** Opens it beside or instead of a server; PGlite takes one at a time. */
  open(): Promise<OpenDatabase>;
  remove(): Promise<void>;
};

export async function createTestDatabase(engine: Engine, template: Template = "bare"): Promise<TestDatabase> {
  const original =
    template === "inhabited"
      ? inject("inhabited")[engine].template
      : inject(engine === "pglite" ? "pgliteTemplate" : "postgresTemplate");
  const directory = await mkdtemp(join(scratchRoot(), "gatehouse-test-"));
  const removeDirectory = () => rm(directory, { recursive: true, force: true });
  if (engine === "pglite") {
    // A thousand small files: `cp` of node:fs/promises takes ten times the CPU.
    cpSync(original, directory, { recursive: true });
    return {
      config: { dataDir: directory },
      open: () => openPgliteHere(join(directory, "pglite")),
      remove: removeDirectory,
    };
  }
  const server = new URL(original);
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await onMaintenanceDatabase(server, `CREATE DATABASE ${name} TEMPLATE ${server.pathname.slice(1)}`);
  const databaseUrl = new URL(`/${name}`, server).href;
  return {
    config: { dataDir: directory, databaseUrl },
    open: async () => openPostgres(databaseUrl),
    remove: async () => {
      await onMaintenanceDatabase(server, `DROP DATABASE ${name} WITH (FORCE)`);
      await removeDirectory();
    },
  };
}

export async function onMaintenanceDatabase(server: URL, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: new URL("/postgres", server).href });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
