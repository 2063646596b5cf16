import { cp, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startServer } from "../../src/server.ts";
import { startPostgres } from "./postgres.ts";
import { scratchRoot } from "./scratch.ts";
import { testConfig } from "./test-config.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A started server's data directory: every embedded test server begins with a copy. */
    pgliteTemplate: string;
    /** A PostgreSQL database after the first start: every test database is copied from it. */
    postgresTemplate: string;
  }
}

const TEMPLATE = "gatehouse_template";

/** Makes one first start on each engine; a cold start costs seconds, a copy does not. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(scratchRoot(), "gatehouse-tests-"));
  const postgres = await startPostgres(["-c", "fsync=off"], scratchRoot());
  await postgres.createDatabase(TEMPLATE);
  const pglite = join(directory, "pglite");
  await Promise.all([
    startServer(testConfig({ dataDir: pglite })).then((server) => server.close()),
    startServer(
      testConfig({ dataDir: join(directory, "postgres"), databaseUrl: postgres.url(TEMPLATE) }),
    ).then((server) => server.close()),
  ]);
  // A lock file is the process's own, not the data's.
  await cp(pglite, join(directory, "template"), {
    recursive: true,
    filter: (path) => !path.endsWith("/lock"),
  });
  project.provide("pgliteTemplate", join(directory, "template"));
  project.provide("postgresTemplate", postgres.url(TEMPLATE));
  return async () => {
    await postgres.remove();
    await rm(directory, { recursive: true, force: true });
  };
}
