import type pg from "pg";

/** Bytes of a table with what is stored beside it, and of its indexes. */
export type TableSize = { rows: number; tableBytes: number; indexBytes: number };

export type TableSizes = { sessions: TableSize; events: TableSize };

export async function sizesOf(client: pg.Client): Promise<TableSizes> {
  const size = async (table: keyof TableSizes): Promise<TableSize> => {
    const { rows } = await client.query<Record<keyof TableSize, string>>(
      `SELECT (SELECT count(*) FROM ${table}) AS rows, pg_table_size('${table}') AS "tableBytes",
         pg_indexes_size('${table}') AS "indexBytes"`,
    );
    const { rows: count, tableBytes, indexBytes } = rows[0]!;
    return { rows: Number(count), tableBytes: Number(tableBytes), indexBytes: Number(indexBytes) };
  };
  return { sessions: await size("sessions"), events: await size("events") };
}

/**
 * Does what autovacuum would have done by now, by the tables' own thresholds: a simulated day takes seconds, and its
 * launcher looks at one of the databases a minute.
 */
export async function vacuumDue(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT t.relname AS table FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid
     CROSS JOIN LATERAL (
       SELECT coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_threshold'),
           current_setting('autovacuum_vacuum_threshold'))::float AS threshold,
         coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_scale_factor'),
           current_setting('autovacuum_vacuum_scale_factor'))::float AS scale
     ) o
     WHERE t.n_dead_tup > o.threshold + o.scale * greatest(c.reltuples, 0)`,
  );
  for (const { table } of rows) await client.query(`VACUUM (ANALYZE) ${table}`);
}
