import type pg from "pg";

/**
 * A database whose clock can be moved on. What the server's statements find as `now()` is a function that adds to
 * PostgreSQL's own; rows stay as they are, so tables and indexes become what they would in as many days.
 */
export type SimulatedClock = {
  advance(hours: number): Promise<void>;
  now(): Promise<Date>;
};

/** @param client a connection to the database, which nobody else has yet: whoever connects later goes by its clock */
export async function simulateClock(client: pg.Client): Promise<SimulatedClock> {
  let ahead = 0;
  const define = async () => {
    // A function of one expression becomes part of the statement, so it costs nothing. A new one makes plans anew.
    for (const [name, kind] of [
      ["now", "STABLE"],
      ["clock_timestamp", "VOLATILE"],
    ]) {
      await client.query(
        `CREATE OR REPLACE FUNCTION simulated.${name}() RETURNS timestamptz LANGUAGE sql ${kind}
         AS $$ SELECT pg_catalog.${name}() + interval '${ahead} hours' $$`,
      );
    }
  };
  await client.query("CREATE SCHEMA simulated");
  await define();
  const { rows } = await client.query<{ name: string }>("SELECT current_database() AS name");
  // Named, pg_catalog is searched where it stands and not before all others.
  await client.query(`ALTER DATABASE ${rows[0]!.name} SET search_path = public, simulated, pg_catalog`);
  return {
    async advance(hours) {
      ahead += hours;
      await define();
    },
    async now() {
      const { rows } = await client.query<{ now: Date }>("SELECT simulated.now() AS now");
      return rows[0]!.now;
    },
  };
}
