import type { PGlite } from "@electric-sql/pglite";

const LOOK_EVERY_MS = 1_000;

/**
 * PostgreSQL's checkpointer is a process of its own, and PGlite has one process: without a checkpoint the WAL grows
 * until the server stops, and after a crash all of it is read again.
 * @param maxWalBytes how much may be written between two checkpoints, more or less
 * @returns what does a checkpoint if one is due; to be called between statements
 */
export function limitWal(engine: PGlite, maxWalBytes = 64 * 1024 * 1024): () => Promise<void> {
  let lookedAtMs = performance.now();
  return async () => {
    if (performance.now() - lookedAtMs < LOOK_EVERY_MS || engine.isInTransaction()) return;
    const { rows } = await engine.query<{ bytes: number }>(
      "SELECT (pg_current_wal_insert_lsn() - redo_lsn)::float8 AS bytes FROM pg_control_checkpoint()",
    );
    if (rows[0]!.bytes > maxWalBytes) await engine.exec("CHECKPOINT");
    lookedAtMs = performance.now();
  };
}
