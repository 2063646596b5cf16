import { expect } from "vitest";
import type { Config } from "../../src/config.ts";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../src/server.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { createTestDatabase, type Engine, type TestDatabase } from "./databases.ts";
import { ADMIN_TOKEN, testConfig } from "./test-config.ts";

export type TestServer = {
  url: string;
  /** The administrator's bearer token. */
  adminToken: string;
  database: TestDatabase;
  /** Another node on the same database (PostgreSQL only); closed with the first. */
  startAnother(): Promise<RunningServer>;
  /** Stops the server, proves that every row is what the log says, and removes the database. */
  close(): Promise<void>;
};

export type TestServerOptions = {
  config?: Partial<Config>;
  server?: ServerOptions;
  /** What only an operator with database access could do, done before the server starts. */
  prepare?: (database: OpenDatabase) => Promise<void>;
};

/** A real server on a real database and a real port. */
export async function startTestServer(engine: Engine, options: TestServerOptions = {}): Promise<TestServer> {
  const database = await createTestDatabase(engine);
  if (options.prepare) {
    const opened = await database.open();
    await options.prepare(opened);
    await opened.close();
  }
  const start = () => startServer(testConfig({ ...database.config, ...options.config }), options.server);
  const servers = [await start()];
  return {
    url: servers[0]!.url,
    adminToken: ADMIN_TOKEN,
    database,
    startAnother: async () => {
      const another = await start();
      servers.push(another);
      return another;
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  };
}

export async function expectRowsToMatchTheLog(database: TestDatabase): Promise<void> {
  const opened = await database.open();
  try {
    const { differences } = await verifyProjections(opened.db, projections);
    expect(differences).toEqual([]);
  } finally {
    await opened.close();
  }
}
