import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  await sql`
    CREATE TABLE events (
      aggregate_type text COLLATE "C" NOT NULL,
      aggregate_id text COLLATE "C" NOT NULL,
      sequence bigint NOT NULL,
      event_type text COLLATE "C" NOT NULL,
      payload jsonb NOT NULL,
      actor_id text NOT NULL,
      created_at timestamptz NOT NULL,
      tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
      position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
      CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence)
    )`.execute(db);
}
