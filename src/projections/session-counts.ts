import { type Kysely, sql } from "kysely";
import type { Database } from "../storage/tables.ts";
import type { Difference } from "./stored-rows.ts";

/** Which counts of sessions, by organization and of all, are not those of the rows in the same snapshot. */
export async function countDifferences(db: Kysely<Database>): Promise<Difference[]> {
  const { rows } = await sql<{ id: string } & Record<(typeof columns)[number], boolean>>`
    WITH kept AS (
      SELECT * FROM session_counts
      UNION ALL SELECT coalesce(organization_id, ''), sum(active), sum(expired), sum(terminated)
      FROM session_count_changes GROUP BY GROUPING SETS ((organization_id), ())
      HAVING organization_id IS NOT NULL OR GROUPING(organization_id) = 1
    ), difference AS (
      SELECT * FROM kept
      UNION ALL SELECT coalesce(user_organization_id, ''), -count(*) FILTER (WHERE status = 'active'),
        -count(*) FILTER (WHERE status = 'expired'), -count(*) FILTER (WHERE status = 'terminated')
      FROM sessions GROUP BY GROUPING SETS ((user_organization_id), ())
      HAVING user_organization_id IS NOT NULL OR GROUPING(user_organization_id) = 1
    )
    SELECT organization_id AS id, sum(active) <> 0 AS active, sum(expired) <> 0 AS expired,
      sum(terminated) <> 0 AS terminated
    FROM difference GROUP BY organization_id ORDER BY organization_id`.execute(db);
  return rows.flatMap(({ id, ...differs }) =>
    columns
      .filter((column) => differs[column])
      .map((column) => ({ table: "session_counts", key: id === "" ? "of all" : id, column })),
  );
}

const columns = ["active", "expired", "terminated"] as const;
