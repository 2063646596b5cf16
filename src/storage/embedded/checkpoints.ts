import type { EngineResults } from "./engine-messages.ts";

type Run = (statement: string) => Promise<EngineResults>;

/**
 * PostgreSQL's checkpointer is a process of its own, and PGlite has one process: without a checkpoint the WAL grows
 * until the server stops, and after a crash all of it is read again.
 * @param run carries out one statement
 * @param options.maxWalBytes how much may be written between two checkpoints, more or less
 * @param options.lookEveryMs how often at most it looks
 * @returns what does a checkpoint if one is due; to be called between statements, and not in a transaction
 */
export function limitWal(
  run: Run,
  { maxWalBytes = 64 * 1024 * 1024, lookEveryMs = 1_000 } = {},
): () => Promise<void> {
  let lookedAtMs = performance.now();
  return async () => {
    if (performance.now() - lookedAtMs < lookEveryMs) return;
    const { rows } = await run(
      "SELECT (pg_current_wal_insert_lsn() - redo_lsn)::float8 AS bytes FROM pg_control_checkpoint()",
    );
    if ((rows as { bytes: number }[])[0]!.bytes > maxWalBytes) await run("CHECKPOINT");
    lookedAtMs = performance.now();
  };
}
