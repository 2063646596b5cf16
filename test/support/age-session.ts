import { type Kysely, sql } from "kysely";
import type { Database } from "../../src/storage/tables.ts";

/** Moves everything a session and its log say of time into the past, so that both go on saying the same. */
export async function ageSession(db: Kysely<Database>, id: string, milliseconds: number): Promise<void> {
  const by = sql`${milliseconds} * interval '1 millisecond'`;
  await sql`
    UPDATE events SET created_at = created_at - ${by},
      payload = CASE WHEN jsonb_exists(payload, 'endsAt')
        THEN jsonb_set(payload, '{endsAt}', to_jsonb((payload->>'endsAt')::timestamptz - ${by})) ELSE payload END
    WHERE aggregate_type = 'session' AND aggregate_id = ${id}`.execute(db);
  await sql`
    UPDATE sessions SET created_at = created_at - ${by}, changed_at = changed_at - ${by},
      last_used_at = last_used_at - ${by}, lifetime_ends_at = lifetime_ends_at - ${by},
      idle_ends_at = idle_ends_at - ${by}, ended_at = ended_at - ${by}
    WHERE id = ${id}`.execute(db);
}
