import type pg from "pg";
import { openClient } from "./database-client.ts";

/** What a database was asked for so far: statements, and pages of its tables and indexes it looked at for them. */
export type Asked = { statements: number; pages: number };

/** Has PostgreSQL count statements, from its next start on. */
export async function countStatements(databaseUrl: string): Promise<void> {
  await using client = await openClient(databaseUrl);
  await client.query("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
}

/** @param client of the database in question */
export async function asked(client: pg.Client): Promise<Asked> {
  await client.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
  const { rows } = await client.query<Record<keyof Asked, string>>(
    `SELECT sum(calls) AS statements, sum(shared_blks_hit + shared_blks_read) AS pages FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND query NOT LIKE '%pg_stat_statements%'`,
  );
  return { statements: Number(rows[0]!.statements ?? 0), pages: Number(rows[0]!.pages ?? 0) };
}
