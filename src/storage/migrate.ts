import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { DomainError } from "../errors.ts";
import * as events from "./migrations/0001-events.ts";
import * as sessions from "./migrations/0002-sessions.ts";
import * as users from "./migrations/0003-users.ts";
import * as organizations from "./migrations/0004-organizations.ts";
import * as factors from "./migrations/0005-factors.ts";
import * as endings from "./migrations/0006-endings.ts";
import * as retention from "./migrations/0007-retention.ts";
import * as tableSettings from "./migrations/0008-table-settings.ts";
import * as sessionCounts from "./migrations/0009-session-counts.ts";
import type { Database } from "./tables.ts";

/** In the order they run; released ones are never edited, new ones go to the end. */
const migrations: Record<string, Migration> = {
  "0001-events": events,
  "0002-sessions": sessions,
  "0003-users": users,
  "0004-organizations": organizations,
  "0005-factors": factors,
  "0006-endings": endings,
  "0007-retention": retention,
  "0008-table-settings": tableSettings,
  "0009-session-counts": sessionCounts,
};

/**
 * Brings the schema up to date; nodes that start together wait for each other.
 * @returns the names of the migrations applied now
 * @throws DomainError `storage.newer_schema` if the database knows migrations this version does not
 */
export async function migrate(db: Kysely<Database>, onProgress?: (step: string) => void): Promise<string[]> {
  const migrator = new Migrator({
    db: db.withoutPlugins(),
    provider: { getMigrations: async () => migrations },
    migrationTableName: "schema_migrations",
    migrationLockTableName: "schema_migrations_lock",
  });
  const known = await migrator.getMigrations();
  const pending = known.filter(({ executedAt }) => executedAt === undefined);
  if (pending.length > 0) onProgress?.(`applying ${pending.length} migrations`);
  const { error, results } = await migrator.migrateToLatest();
  if (error instanceof Error && /previously executed migration .* is missing/.test(error.message)) {
    throw new DomainError("storage.newer_schema", { cause: error });
  }
  if (error) throw error;
  return (results ?? []).map(({ migrationName }) => migrationName);
}
