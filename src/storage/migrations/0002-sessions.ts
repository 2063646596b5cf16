import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  // The free space in each page keeps updates on it (heap-only tuples); no index is on a column that checks change.
  await sql`
    CREATE TABLE sessions (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      creator_id text NOT NULL,
      user_id text COLLATE "C",
      user_organization_id text COLLATE "C",
      user_epoch bigint,
      factors jsonb NOT NULL,
      metadata jsonb NOT NULL,
      fingerprint_id text,
      user_agent jsonb,
      token_digest text,
      expires_at timestamptz,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    ) WITH (fillfactor = 80)`.execute(db);
  await sql`CREATE INDEX sessions_user_id ON sessions (user_id) WHERE user_id IS NOT NULL`.execute(db);
  await sql`CREATE INDEX sessions_fingerprint_id ON sessions (fingerprint_id) WHERE fingerprint_id IS NOT NULL`.execute(
    db,
  );
  await sql`CREATE INDEX sessions_created_at ON sessions (created_at, id)`.execute(db);
}
