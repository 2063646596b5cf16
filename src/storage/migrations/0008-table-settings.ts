import { type Kysely, sql } from "kysely";

// biome-ignore lint/suspicious/noExplicitAny: migrations outlive the table types
export async function up(db: Kysely<any>): Promise<void> {
  // A sign-in changes its session several times right after its creation, when all rows of the page are as young. An
  // update that finds no room there is not heap-only: it goes to another page, with an entry in every index. Of such
  // flows' updates, 70 % stay on their page with 80, 88 % with 60, 92 % with 50; the table is smallest with 60, since
  // rows that move leave more room behind than this one keeps.
  await sql`ALTER TABLE sessions SET (fillfactor = 60)`.execute(db);

  // Endings and retention leave dead rows and index entries. By default a table is cleaned when a fifth of it is dead,
  // which at ten million sessions is a long job after a long wait; often and little keeps the pages that are searched
  // few. The statistics follow the lists' plans in the same steps.
  await sql`
    ALTER TABLE sessions SET (
      autovacuum_vacuum_scale_factor = 0.02,
      autovacuum_vacuum_insert_scale_factor = 0.05,
      autovacuum_analyze_scale_factor = 0.05,
      autovacuum_vacuum_cost_limit = 1000)`.execute(db);
  // Every check of a password may be an update, of few of very many users.
  await sql`
    ALTER TABLE users SET (
      autovacuum_vacuum_scale_factor = 0.05,
      autovacuum_analyze_scale_factor = 0.05)`.execute(db);

  // Nothing but retention and erasure changes a row of the log. So its rows are frozen the first time they are visited,
  // in portions, instead of all of them at once when transaction ids run short.
  await sql`
    ALTER TABLE events SET (
      autovacuum_vacuum_insert_scale_factor = 0.02,
      autovacuum_vacuum_scale_factor = 0.05,
      autovacuum_analyze_scale_factor = 0.05,
      autovacuum_freeze_min_age = 0,
      autovacuum_vacuum_cost_limit = 1000)`.execute(db);

  // Each of these rows is changed a few times within a minute and removed within days; what is due is looked for again
  // and again, past those that are dead.
  for (const table of ["notifications", "idp_intents"]) {
    await sql`
      ALTER TABLE ${sql.table(table)} SET (
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 200)`.execute(db);
  }
}
