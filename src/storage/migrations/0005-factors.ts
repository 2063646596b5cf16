import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  await sql`ALTER TABLE sessions ADD COLUMN challenges jsonb NOT NULL DEFAULT '{}'`.execute(db);
  await sql`
    ALTER TABLE users
      ADD COLUMN verified_email text,
      ADD COLUMN verified_phone text,
      ADD COLUMN password_code jsonb,
      ADD COLUMN totp jsonb,
      ADD COLUMN otp_sms boolean NOT NULL DEFAULT false,
      ADD COLUMN otp_email boolean NOT NULL DEFAULT false,
      ADD COLUMN web_auth_n jsonb NOT NULL DEFAULT '[]',
      ADD COLUMN passkey_codes jsonb NOT NULL DEFAULT '[]',
      ADD COLUMN recovery_codes jsonb,
      ADD COLUMN idp_links jsonb NOT NULL DEFAULT '[]',
      ADD COLUMN failed_attempts jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN client_secret jsonb`.execute(db);
  await sql`
    UPDATE users SET
      verified_email = CASE WHEN email_verified THEN email END,
      verified_phone = CASE WHEN phone_verified THEN phone END`.execute(db);
  await sql`
    CREATE TABLE machine_keys (
      id text COLLATE "C" PRIMARY KEY,
      user_id text COLLATE "C" NOT NULL,
      organization_id text COLLATE "C" NOT NULL,
      public_key text NOT NULL,
      expires_at timestamptz,
      created_at timestamptz NOT NULL
    )`.execute(db);
  await sql`CREATE INDEX machine_keys_user_id ON machine_keys (user_id)`.execute(db);
  // The primary key does not make an external account unique, so that a link put twice is never taken from its owner.
  await sql`
    CREATE TABLE idp_links (
      user_id text COLLATE "C" NOT NULL,
      idp_id text COLLATE "C" NOT NULL,
      external_user_id text COLLATE "C" NOT NULL,
      display_name text NOT NULL,
      CONSTRAINT idp_links_pkey PRIMARY KEY (user_id, idp_id, external_user_id),
      CONSTRAINT idp_links_external_user UNIQUE (idp_id, external_user_id)
    )`.execute(db);
  await sql`
    CREATE TABLE identity_providers (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      organization_id text COLLATE "C",
      type text COLLATE "C" NOT NULL,
      name text NOT NULL,
      config jsonb NOT NULL,
      secret text,
      options jsonb NOT NULL,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    )`.execute(db);
  await sql`
    CREATE TABLE idp_intents (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      idp_id text COLLATE "C" NOT NULL,
      success_url text NOT NULL,
      failure_url text NOT NULL,
      secrets text,
      idp_user_id text,
      idp_user_name text,
      user_id text COLLATE "C",
      idp_user jsonb,
      tokens text,
      reason text,
      expires_at timestamptz,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    )`.execute(db);
  await sql`
    CREATE TABLE notifications (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      channel text COLLATE "C" NOT NULL,
      kind text COLLATE "C" NOT NULL,
      subject text COLLATE "C" NOT NULL,
      recipient text NOT NULL,
      content jsonb NOT NULL,
      attempts bigint NOT NULL,
      next_attempt_at timestamptz,
      expires_at timestamptz,
      reason text,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    )`.execute(db);
  // Only what is still to be sent is ever looked for, so only that is in the indexes.
  await sql`CREATE INDEX notifications_due ON notifications (next_attempt_at) WHERE status = 'pending'`.execute(
    db,
  );
  await sql`CREATE INDEX notifications_subject ON notifications (subject) WHERE status = 'pending'`.execute(
    db,
  );
  await sql`ALTER TABLE organizations ADD COLUMN max_otp_attempts bigint`.execute(db);
  await sql`
    ALTER TABLE instances
      ADD COLUMN max_otp_attempts bigint NOT NULL DEFAULT 0,
      ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN email_providers jsonb NOT NULL DEFAULT '[]',
      ADD COLUMN sms_providers jsonb NOT NULL DEFAULT '[]'`.execute(db);
}
