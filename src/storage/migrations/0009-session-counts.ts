import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  // How many sessions stand how: of each organization, and of all of them where it is empty.
  await sql`
    CREATE TABLE session_counts (
      organization_id text COLLATE "C" PRIMARY KEY,
      active bigint NOT NULL,
      expired bigint NOT NULL,
      terminated bigint NOT NULL
    )`.execute(db);
  // What has changed since, of users' organizations and of sessions without a user. Rows are only added and taken away,
  // so writers never wait for each other, and there is no index to keep.
  await sql`
    CREATE TABLE session_count_changes (
      organization_id text COLLATE "C",
      active int NOT NULL,
      expired int NOT NULL,
      terminated int NOT NULL
    )`.execute(db);

  // Measured: of an update two columns are compared, and nothing more if they are the same, whereas a trigger for each
  // statement would cost every update a copy of its rows. What is inserted comes by the statement, but summing it up
  // would cost a single session more than it saves several.
  await sql`
    CREATE FUNCTION count_added_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO session_count_changes
      SELECT user_organization_id, (status = 'active')::int, (status = 'expired')::int, (status = 'terminated')::int
      FROM added;
      RETURN NULL;
    END $$`.execute(db);
  await sql`
    CREATE FUNCTION count_removed_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO session_count_changes
      SELECT user_organization_id, -count(*) FILTER (WHERE status = 'active'),
        -count(*) FILTER (WHERE status = 'expired'), -count(*) FILTER (WHERE status = 'terminated')
      FROM removed GROUP BY user_organization_id;
      RETURN NULL;
    END $$`.execute(db);
  await sql`
    CREATE FUNCTION count_changed_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.user_organization_id IS NOT DISTINCT FROM NEW.user_organization_id THEN
        INSERT INTO session_count_changes VALUES (NEW.user_organization_id,
          (NEW.status = 'active')::int - (OLD.status = 'active')::int,
          (NEW.status = 'expired')::int - (OLD.status = 'expired')::int,
          (NEW.status = 'terminated')::int - (OLD.status = 'terminated')::int);
      ELSE
        INSERT INTO session_count_changes VALUES
          (OLD.user_organization_id, -(OLD.status = 'active')::int, -(OLD.status = 'expired')::int,
            -(OLD.status = 'terminated')::int),
          (NEW.user_organization_id, (NEW.status = 'active')::int, (NEW.status = 'expired')::int,
            (NEW.status = 'terminated')::int);
      END IF;
      RETURN NULL;
    END $$`.execute(db);
  await sql`
    CREATE FUNCTION count_no_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      TRUNCATE session_counts, session_count_changes;
      INSERT INTO session_counts VALUES ('', 0, 0, 0);
      RETURN NULL;
    END $$`.execute(db);
  // From here on nobody writes until the transaction is over.
  await sql`
    CREATE TRIGGER sessions_added AFTER INSERT ON sessions REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION count_added_sessions()`.execute(db);
  await sql`
    CREATE TRIGGER sessions_removed AFTER DELETE ON sessions REFERENCING OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION count_removed_sessions()`.execute(db);
  await sql`
    CREATE TRIGGER sessions_changed AFTER UPDATE OF status, user_organization_id ON sessions
      FOR EACH ROW WHEN (OLD.status <> NEW.status OR OLD.user_organization_id IS DISTINCT FROM NEW.user_organization_id)
      EXECUTE FUNCTION count_changed_session()`.execute(db);
  await sql`
    CREATE TRIGGER sessions_truncated AFTER TRUNCATE ON sessions
      FOR EACH STATEMENT EXECUTE FUNCTION count_no_sessions()`.execute(db);
  await sql`
    INSERT INTO session_counts
    SELECT coalesce(user_organization_id, ''), count(*) FILTER (WHERE status = 'active'),
      count(*) FILTER (WHERE status = 'expired'), count(*) FILTER (WHERE status = 'terminated')
    FROM sessions GROUP BY GROUPING SETS ((user_organization_id), ())
    HAVING GROUPING(user_organization_id) = 1 OR user_organization_id IS NOT NULL`.execute(db);
}
