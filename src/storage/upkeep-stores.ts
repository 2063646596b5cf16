import type { Kysely } from "kysely";
import { ErasureRepository } from "./erasure-repository.ts";
import { RetentionRepository } from "./retention-repository.ts";
import { SessionCountRepository } from "./session-count-repository.ts";
import type { Database } from "./tables.ts";
import { UpkeepRepository } from "./upkeep-repository.ts";

/** Everything the background reads and writes by. */
export type UpkeepStores = {
  upkeep: UpkeepRepository;
  retention: RetentionRepository;
  erasures: ErasureRepository;
  counts: SessionCountRepository;
};

export function upkeepStores(db: Kysely<Database>): UpkeepStores {
  const retention = new RetentionRepository(db);
  return {
    upkeep: new UpkeepRepository(db),
    retention,
    erasures: new ErasureRepository(db, retention),
    counts: new SessionCountRepository(db),
  };
}
