import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  await sql`
    CREATE TABLE users (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      type text COLLATE "C" NOT NULL,
      organization_id text COLLATE "C" NOT NULL,
      username text NOT NULL,
      username_key text COLLATE "C",
      given_name text,
      family_name text,
      nick_name text,
      display_name text,
      preferred_language text,
      gender bigint,
      email text,
      email_verified boolean NOT NULL,
      email_code jsonb,
      phone text,
      phone_verified boolean NOT NULL,
      phone_code jsonb,
      machine_name text,
      machine_description text,
      access_token_type bigint,
      password_hash text,
      password_change_required boolean NOT NULL,
      password_changed_at timestamptz,
      password_failed_attempts bigint NOT NULL,
      password_epoch bigint NOT NULL,
      session_epoch bigint NOT NULL,
      metadata jsonb NOT NULL,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL,
      CONSTRAINT users_username_key UNIQUE (username_key)
    ) WITH (fillfactor = 80)`.execute(db);
  await sql`CREATE INDEX users_organization_id ON users (organization_id)`.execute(db);
  await sql`CREATE INDEX users_created_at ON users (created_at, id)`.execute(db);
  await sql`
    CREATE TABLE personal_access_tokens (
      id text COLLATE "C" PRIMARY KEY,
      digest text COLLATE "C" NOT NULL,
      user_id text COLLATE "C" NOT NULL,
      organization_id text COLLATE "C" NOT NULL,
      expires_at timestamptz,
      created_at timestamptz NOT NULL,
      CONSTRAINT personal_access_tokens_digest UNIQUE (digest)
    )`.execute(db);
  await sql`CREATE INDEX personal_access_tokens_user_id ON personal_access_tokens (user_id)`.execute(db);
}
