import { type Kysely, type RawBuilder, sql } from "kysely";
import { DomainError } from "../errors.ts";
import type { Sql } from "./conditions.ts";
import type { Database } from "./tables.ts";

/** Which rows of a list. */
export type PageRange = { offset: number; limit: number; ascending: boolean };

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/**
 * The limit a list is read with.
 * @param limit as asked for; 0 stands for the default of 100
 * @throws DomainError `list.limit_exceeded` above 1000
 */
export function appliedLimit(limit: number): number {
  if (limit > MAX_LIMIT) throw new DomainError("list.limit_exceeded");
  return limit || DEFAULT_LIMIT;
}

/** Rows of a list with the number of all matches; `now` is the database's clock at the read. */
export type Page<R> = { rows: R[]; total: number; now: Date };

/**
 * A page and the exact number of all matches, from one statement and so from one snapshot. The count is a second scan:
 * `count(*) OVER ()` would drag every matching row through the sort.
 * @param query.orderBy the last expression must tell any two rows apart
 */
export async function selectPage<R extends object>(
  db: Kysely<Database>,
  query: {
    columns: RawBuilder<unknown>;
    from: RawBuilder<unknown>;
    where: Sql;
    orderBy: RawBuilder<unknown>[];
  },
  { offset, limit, ascending }: PageRange,
): Promise<Page<R>> {
  const { columns, from, where } = query;
  const direction = sql.raw(ascending ? "ASC" : "DESC");
  const order = sql.join(query.orderBy.map((each) => sql`${each} ${direction}`));
  const { rows } = await sql<R & { total: number; now: Date; place: number | null }>`
    SELECT p.*, c.total, clock_timestamp() AS now
    FROM (SELECT count(*) AS total FROM ${from} WHERE ${where}) c
    LEFT JOIN (
      SELECT ${columns}, row_number() OVER (ORDER BY ${order}) AS place FROM ${from} WHERE ${where}
      ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}
    ) p ON true
    ORDER BY p.place`.execute(db);
  const { total, now } = rows[0]!;
  return {
    rows: rows
      .filter(({ place }) => place !== null)
      .map(({ total: _, now: __, place: ___, ...row }) => row as unknown as R),
    total: Number(total),
    now,
  };
}
