import { type SqlBool, sql } from "kysely";
import { allOf, inSql, type Sql } from "./conditions.ts";
import type { SessionFactor, SessionFilter } from "./session-filter.ts";
import type { RunningEnding } from "./session-repository.ts";

/**
 * The conditions of a filter but those on how a session stands, on `sessions s`. Null counts as false, so negate
 * with `IS NOT TRUE`.
 * The same for one session in memory: `meets` in `session/ending/reach.ts`. The two change together.
 */
export function filterSql(filter: SessionFilter): Sql {
  const { ids, userIds, organizationIds, creatorIds, fingerprintIds, addresses, exceptIds } = filter;
  const { createdFrom, createdBefore, factorsPresent, factorsMissing, metadata } = filter;
  const conditions: (Sql | undefined)[] = [
    ids && inSql(sql`s.id`, ids),
    userIds && inSql(sql`s.user_id`, userIds),
    organizationIds && inSql(sql`s.user_organization_id`, organizationIds),
    creatorIds && inSql(sql`s.creator_id`, creatorIds),
    fingerprintIds && inSql(sql`s.fingerprint_id`, fingerprintIds),
    addresses && addressSql(addresses),
    createdFrom === undefined ? undefined : sql<SqlBool>`s.created_at >= ${new Date(createdFrom)}`,
    createdBefore === undefined ? undefined : sql<SqlBool>`s.created_at < ${new Date(createdBefore)}`,
    ...(factorsPresent ?? []).map(factorSql),
    ...(factorsMissing ?? []).map((factor) => sql<SqlBool>`NOT ${factorSql(factor)}`),
    metadata && sql<SqlBool>`s.metadata @> ${JSON.stringify(metadata)}::jsonb`,
    exceptIds && sql<SqlBool>`NOT ${inSql(sql`s.id`, exceptIds)}`,
  ];
  return allOf(conditions.filter((condition) => condition !== undefined));
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

// The bounds of each network instead of `<<=`, which an index helps with only while the network is a constant.
function addressSql(networks: readonly string[]): Sql {
  const within = networks.map(
    (network) =>
      sql<SqlBool>`(s.ip >= host(network(${network}::inet))::inet AND s.ip <= host(broadcast(${network}::inet))::inet)`,
  );
  return sql<SqlBool>`(${sql.join(within, sql` OR `)})`;
}

function factorSql(factor: SessionFactor): Sql {
  if (factor !== "password") return sql<SqlBool>`jsonb_exists(s.factors, ${factor})`;
  return sql<SqlBool>`coalesce((s.factors->'password'->>'epoch')::bigint
    = (SELECT u.password_epoch FROM users u WHERE u.id = s.user_id), false)`;
}
