import { isIP } from "node:net";
import { type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, type Sql } from "./conditions.ts";
import type { SessionFactor, SessionFilter } from "./session-filter.ts";
import type { RunningEnding } from "./session-repository.ts";

/** A condition that an index can answer: the column of `sessions s` has one of these values. */
export type ListCondition = { column: ListColumn; values: readonly string[] };

export type ListColumn = keyof typeof columns;

/** In order of how few sessions a value is expected to have. */
const columns = {
  id: sql`s.id`,
  userId: sql`s.user_id`,
  fingerprintId: sql`s.fingerprint_id`,
  ip: sql`s.ip`,
  organizationId: sql`s.user_organization_id`,
  creatorId: sql`s.creator_id`,
  reason: sql`(s.ending->>'reason')`,
} as const;

/** 0: its values have the fewest sessions. */
export function rankOf(column: ListColumn): number {
  return Object.keys(columns).indexOf(column);
}

/** One value as an equality, which leaves the order of an index behind it usable. */
export function listSql({ column, values }: ListCondition): Sql {
  const type = typeOf(column);
  return values.length === 1
    ? sql<SqlBool>`${columns[column]} = ${values[0]}::${type}`
    : sql<SqlBool>`${columns[column]} = ANY(${[...values]}::${type}[])`;
}

/** The values as rows `v (value)`, each once, to be joined by {@link ofValueSql}. */
export function valuesSql({ column, values }: ListCondition): RawBuilder<unknown> {
  return sql`(SELECT DISTINCT unnest(${[...values]}::${typeOf(column)}[]) AS value) v`;
}

export function ofValueSql({ column }: ListCondition): Sql {
  return sql<SqlBool>`${columns[column]} = v.value`;
}

function typeOf(column: ListColumn): RawBuilder<unknown> {
  return sql.raw(column === "ip" ? "inet" : "text");
}

/**
 * The conditions of a filter but those on how a session stands, on `sessions s`. Null counts as false, so negate
 * with `IS NOT TRUE`.
 * The same for one session in memory: `meets` in `session/ending/reach.ts`. The two change together.
 */
export function filterSql(filter: SessionFilter): Sql {
  return allOf([...listsOf(filter).map(listSql), ...conditionsOf(filter)]);
}

/** Those an index can answer. */
export function listsOf({
  ids,
  userIds,
  fingerprintIds,
  addresses,
  organizationIds,
  creatorIds,
}: SessionFilter): ListCondition[] {
  return [
    ...list("id", ids),
    ...list("userId", userIds),
    ...list("fingerprintId", fingerprintIds),
    ...list("ip", addresses?.every((address) => isIP(address) !== 0) ? addresses : undefined),
    ...list("organizationId", organizationIds),
    ...list("creatorId", creatorIds),
  ];
}

/** All others. */
export function conditionsOf(filter: SessionFilter): Sql[] {
  const { addresses, createdFrom, createdBefore, factorsPresent, factorsMissing, metadata, exceptIds } =
    filter;
  const conditions: (Sql | undefined)[] = [
    addresses?.some((address) => isIP(address) === 0) ? networksSql(addresses) : undefined,
    createdFrom === undefined ? undefined : sql<SqlBool>`s.created_at >= ${new Date(createdFrom)}`,
    createdBefore === undefined ? undefined : sql<SqlBool>`s.created_at < ${new Date(createdBefore)}`,
    ...(factorsPresent ?? []).map(factorSql),
    ...(factorsMissing ?? []).map((factor) => sql<SqlBool>`NOT ${factorSql(factor)}`),
    metadata && sql<SqlBool>`s.metadata @> ${JSON.stringify(metadata)}::jsonb`,
    exceptIds && sql<SqlBool>`NOT ${listSql({ column: "id", values: exceptIds })}`,
  ];
  return conditions.filter((condition) => condition !== undefined);
}

/** The sessions a running bulk ending reaches and that have no event yet; see `reaches`. */
export function reachedSql({ id, filter, createdAt }: RunningEnding): Sql {
  return allOf([
    sql<SqlBool>`s.status = 'active'`,
    sql<SqlBool>`s.created_at <= ${createdAt}`,
    sql<SqlBool>`(s.expires_at IS NULL OR s.expires_at >= ${createdAt})`,
    sql<SqlBool>`NOT coalesce(jsonb_exists(s.spared, ${id}), false)`,
    filterSql(filter),
  ]);
}

function list(column: ListColumn, values: readonly string[] | undefined): ListCondition[] {
  return values === undefined ? [] : [{ column, values: [...new Set(values)] }];
}

// The bounds of each network instead of `<<=`, which an index helps with only while the network is a constant. An index
// on addresses has those of a network one after the other but not in the order of creation: a page costs reading every
// session of the network, unless they are so many that PostgreSQL rather goes through all sessions and picks them out.
function networksSql(networks: readonly string[]): Sql {
  const within = networks.map(
    (network) =>
      sql<SqlBool>`(s.ip >= host(network(${network}::inet))::inet AND s.ip <= host(broadcast(${network}::inet))::inet)`,
  );
  return sql<SqlBool>`(${sql.join(within, sql` OR `)})`;
}

function factorSql(factor: SessionFactor): Sql {
  return sql<SqlBool>`jsonb_exists(s.factors, ${factor})`;
}
