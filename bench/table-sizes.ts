import { setTimeout as sleep } from "node:timers/promises";
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

/** Its shortest: a simulated day takes seconds, so a minute between looks would be weeks. */
const NAPTIME = "1s";

/** Has autovacuum look more often, with its thresholds as shipped; not so once disposed of. */
export async function hastenAutovacuum(client: pg.Client): Promise<AsyncDisposable> {
  await client.query(`ALTER SYSTEM SET autovacuum_naptime = '${NAPTIME}'`);
  await client.query("SELECT pg_reload_conf()");
  return {
    async [Symbol.asyncDispose]() {
      await client.query("ALTER SYSTEM RESET autovacuum_naptime");
      await client.query("SELECT pg_reload_conf()");
    },
  };
}

const POLL_MS = 50;
const PATIENCE_MS = 60_000;

/** Waits until autovacuum has done what is due by its thresholds, a minute at most. */
export async function untilVacuumed(client: pg.Client): Promise<void> {
  for (
    const startedAt = performance.now();
    performance.now() - startedAt < PATIENCE_MS;
    await sleep(POLL_MS)
  ) {
    const { rows } = await client.query<{ isDue: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker')
         OR EXISTS (
           SELECT 1 FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid
           CROSS JOIN LATERAL (
             SELECT coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_threshold'),
                 current_setting('autovacuum_vacuum_threshold'))::float AS threshold,
               coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                 current_setting('autovacuum_vacuum_scale_factor'))::float AS scale
           ) o
           WHERE t.relname IN ('sessions', 'events') AND t.n_dead_tup > o.threshold + o.scale * greatest(c.reltuples, 0)
         ) AS "isDue"`,
    );
    if (!rows[0]!.isDue) return;
  }
}
