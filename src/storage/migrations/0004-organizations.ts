import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  await sql`
    CREATE TABLE organizations (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      name text NOT NULL,
      name_key text COLLATE "C",
      primary_domain text NOT NULL,
      max_password_attempts bigint,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL,
      CONSTRAINT organizations_name_key UNIQUE (name_key),
      CONSTRAINT organizations_primary_domain UNIQUE (primary_domain)
    )`.execute(db);
  await sql`
    CREATE TABLE instances (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      default_organization_id text COLLATE "C" NOT NULL,
      key_check text NOT NULL,
      max_password_attempts bigint NOT NULL,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    )`.execute(db);
  // One instance per database: of two first starts at the same time, one must lose.
  await sql`CREATE UNIQUE INDEX instances_single ON instances ((true))`.execute(db);
  await sql`
    CREATE TABLE memberships (
      user_id text COLLATE "C" NOT NULL,
      resource_id text COLLATE "C" NOT NULL,
      roles jsonb NOT NULL,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL,
      CONSTRAINT memberships_pkey PRIMARY KEY (user_id, resource_id)
    )`.execute(db);
  await sql`CREATE INDEX memberships_resource_id ON memberships (resource_id)`.execute(db);
}
