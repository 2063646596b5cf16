import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  await sql`
    ALTER TABLE sessions
      ADD COLUMN lifetime_ends_at timestamptz,
      ADD COLUMN idle_lifetime bigint,
      ADD COLUMN idle_ends_at timestamptz,
      ADD COLUMN last_used_at timestamptz,
      ADD COLUMN ending jsonb,
      ADD COLUMN ended_at timestamptz,
      ADD COLUMN spared jsonb,
      ADD COLUMN is_archived boolean NOT NULL DEFAULT false,
      ADD COLUMN is_folded boolean NOT NULL DEFAULT false`.execute(db);
  await sql`UPDATE sessions SET lifetime_ends_at = expires_at`.execute(db);
  await sql`
    UPDATE sessions s SET
      last_used_at = coalesce(
        (SELECT max(e.created_at) FROM events e WHERE e.aggregate_type = 'session' AND e.aggregate_id = s.id
          AND e.event_type IN ('session.added', 'session.token.set')), s.created_at)`.execute(db);
  await sql`
    UPDATE sessions s SET
      ending = jsonb_build_object('reason', 'terminated', 'actorId', e.actor_id), ended_at = e.created_at,
      challenges = '{}'
    FROM events e
    WHERE s.status = 'terminated' AND e.aggregate_type = 'session' AND e.aggregate_id = s.id
      AND e.event_type = 'session.terminated'`.execute(db);
  await sql`ALTER TABLE sessions ALTER COLUMN last_used_at SET NOT NULL`.execute(db);
  await sql`ALTER TABLE sessions DROP COLUMN expires_at`.execute(db);
  // The earlier of the two; LEAST passes over what is null.
  await sql`
    ALTER TABLE sessions
      ADD COLUMN expires_at timestamptz GENERATED ALWAYS AS (least(lifetime_ends_at, idle_ends_at)) STORED,
      ADD COLUMN ip inet GENERATED ALWAYS AS ((user_agent->>'ip')::inet) STORED`.execute(db);

  // Sessions in view and archived ones have their own indexes, so that neither has to be searched past the other, and
  // those in view are apart by how they stand for the same reason. None is on a column that checks change: those updates
  // stay on their page. An ending changes what is indexed, once in a session's life.
  await sql`DROP INDEX sessions_user_id, sessions_fingerprint_id, sessions_created_at`.execute(db);
  for (const [name, key] of [
    ["created_at", "status, created_at, id"],
    ["user_id", "user_id, status, created_at, id"],
    ["organization_id", "user_organization_id, status, created_at, id"],
    ["creator_id", "creator_id, status, created_at, id"],
    ["fingerprint_id", "fingerprint_id, status, created_at, id"],
    ["ip", "ip, status, created_at, id"],
    ["expires_at", "status, expires_at, id"],
  ] as const) {
    await sql`CREATE INDEX ${sql.raw(`sessions_${name}`)} ON sessions (${sql.raw(key)}) WHERE NOT is_archived`.execute(
      db,
    );
  }
  for (const [name, key] of [
    ["created_at", "created_at, id"],
    ["user_id", "user_id, created_at, id"],
    ["organization_id", "user_organization_id, created_at, id"],
    ["creator_id", "creator_id, created_at, id"],
    ["fingerprint_id", "fingerprint_id, created_at, id"],
    ["ip", "ip, created_at, id"],
    ["reason", "(ending->>'reason'), created_at, id"],
    ["ended_at", "ended_at, id"],
  ] as const) {
    await sql`CREATE INDEX ${sql.raw(`sessions_archived_${name}`)} ON sessions (${sql.raw(key)}) WHERE is_archived`.execute(
      db,
    );
  }

  await sql`
    CREATE TABLE user_endings (
      user_id text COLLATE "C" NOT NULL,
      epoch bigint NOT NULL,
      reason text COLLATE "C" NOT NULL,
      actor_id text NOT NULL,
      ended_at timestamptz NOT NULL,
      sequence bigint NOT NULL,
      is_done boolean NOT NULL DEFAULT false,
      is_erased boolean NOT NULL DEFAULT false,
      CONSTRAINT user_endings_pkey PRIMARY KEY (user_id, epoch)
    )`.execute(db);
  await sql`CREATE INDEX user_endings_open ON user_endings (user_id, epoch) WHERE NOT is_done`.execute(db);
  await sql`CREATE INDEX user_endings_unerased ON user_endings (ended_at) WHERE reason IN ('user_deleted', 'organization_removed') AND NOT is_erased`.execute(
    db,
  );
  // Each of these acts moved the user's epoch on by one.
  await sql`
    INSERT INTO user_endings (user_id, epoch, reason, actor_id, ended_at, sequence)
    SELECT aggregate_id, row_number() OVER (PARTITION BY aggregate_id ORDER BY sequence) - 1,
      CASE event_type WHEN 'user.locked' THEN 'user_locked' WHEN 'user.deactivated' THEN 'user_deactivated' ELSE 'user_deleted' END,
      actor_id, created_at, sequence
    FROM events
    WHERE aggregate_type = 'user' AND event_type IN ('user.locked', 'user.deactivated', 'user.removed')`.execute(
    db,
  );

  await sql`
    CREATE TABLE endings (
      id text COLLATE "C" PRIMARY KEY,
      sequence bigint NOT NULL,
      status text COLLATE "C" NOT NULL,
      filter jsonb NOT NULL,
      actor_id text NOT NULL,
      ended bigint NOT NULL,
      created_at timestamptz NOT NULL,
      changed_at timestamptz NOT NULL
    )`.execute(db);
  await sql`CREATE INDEX endings_running ON endings (created_at) WHERE status = 'running'`.execute(db);
  await sql`ALTER TABLE organizations ADD COLUMN concurrency jsonb`.execute(db);
}
