import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  // What is done with is looked for by its age, and by whom it is about when that user's data is erased.
  await sql`CREATE INDEX endings_done ON endings (changed_at) WHERE status = 'done'`.execute(db);
  await sql`CREATE INDEX notifications_done ON notifications (changed_at) WHERE status <> 'pending'`.execute(
    db,
  );
  await sql`DROP INDEX notifications_subject`.execute(db);
  await sql`CREATE INDEX notifications_subject ON notifications (subject)`.execute(db);
  await sql`CREATE INDEX idp_intents_expires_at ON idp_intents (expires_at)`.execute(db);
  await sql`CREATE INDEX idp_intents_user_id ON idp_intents (user_id) WHERE user_id IS NOT NULL`.execute(db);
  await sql`CREATE INDEX idp_intents_account ON idp_intents (idp_id, idp_user_id) WHERE idp_user_id IS NOT NULL`.execute(
    db,
  );
}
