import pg from "pg";
import { parentPid } from "./process-use.ts";

/** A connection past the server, to look at what is stored. It ends when disposed of. */
export async function openClient(databaseUrl: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // After an interruption the database goes first; without a listener that would end the run in its own way.
  client.on("error", () => {});
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** @returns the process id of PostgreSQL, all of whose others are its children; undefined where the system does not tell */
export async function databasePid(databaseUrl: string): Promise<number | undefined> {
  await using client = await openClient(databaseUrl);
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return parentPid(rows[0]!.pid);
}
