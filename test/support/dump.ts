import { sql } from "kysely";
import type { OpenDatabase } from "../../src/storage/database.ts";

/** Every row of every table as text, after the table's name; bytes are in hexadecimal. */
export async function dumpOf({ db }: OpenDatabase): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`.execute(db);
  const dump: string[] = [];
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`
      SELECT row_to_json(t)::text AS row FROM ${sql.table(name)} t`.execute(db);
    dump.push(...rows.map(({ row }) => `${name}: ${row}`));
  }
  return dump;
}
