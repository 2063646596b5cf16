import pg from "pg";

/** A connection past the server, to look at what is stored. It ends when disposed of. */
export async function openClient(databaseUrl: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // After an interruption the database goes first; without a listener that would end the run in its own way.
  client.on("error", () => {});
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
