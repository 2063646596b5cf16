import { BlockList, isIP } from "node:net";
import type { SessionFactor, SessionFilter } from "../../storage/session-filter.ts";
import type { RunningEnding } from "../../storage/session-repository.ts";
import type { SessionRow } from "../../storage/tables.ts";

/**
 * Whether a running bulk ending reaches a session: it was there, active, and met the filter when the ending began.
 * Whatever it has become since was decided with the ending in view, and then it is one of those the session was spared.
 * The same in SQL: `reachedSql` in `storage/session-filter-sql.ts`. The two change together.
 */
export function reaches(ending: RunningEnding, session: SessionRow): boolean {
  return (
    session.createdAt <= ending.createdAt &&
    (session.expiresAt === null || session.expiresAt >= ending.createdAt) &&
    !session.spared?.includes(ending.id) &&
    meets(ending.filter, session)
  );
}

/**
 * Whether a session meets every condition of a filter but those on how it stands. Only the session itself counts: a new
 * password of its user is no change of the session, so it must not take it out of a running ending, or into one.
 */
export function meets(filter: SessionFilter, session: SessionRow): boolean {
  const { ids, userIds, organizationIds, creatorIds, fingerprintIds, addresses, exceptIds } = filter;
  const { createdFrom, createdBefore, factorsPresent, factorsMissing, metadata } = filter;
  const listed = (list: readonly string[] | undefined, value: string | null | undefined) =>
    list === undefined || (value != null && list.includes(value));
  const has = (factor: SessionFactor) => session.factors[factor] !== undefined;
  return (
    listed(ids, session.id) &&
    listed(userIds, session.userId) &&
    listed(organizationIds, session.userOrganizationId) &&
    listed(creatorIds, session.creatorId) &&
    listed(fingerprintIds, session.fingerprintId) &&
    (addresses === undefined || addresses.some((network) => contains(network, session.userAgent?.ip))) &&
    (createdFrom === undefined || session.createdAt >= new Date(createdFrom)) &&
    (createdBefore === undefined || session.createdAt < new Date(createdBefore)) &&
    (factorsPresent ?? []).every(has) &&
    !(factorsMissing ?? []).some(has) &&
    Object.entries(metadata ?? {}).every(([key, value]) => session.metadata[key] === value) &&
    !exceptIds?.includes(session.id)
  );
}

/** @param network an address, or a network in CIDR notation; an address is never in a network of the other family */
function contains(network: string, ip: string | undefined): boolean {
  if (ip === undefined) return false;
  const [address, prefix] = network.split("/") as [string, string?];
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  if ((isIP(ip) === 4 ? "ipv4" : "ipv6") !== family) return false;
  const list = new BlockList();
  if (prefix === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(prefix), family);
  return list.check(ip, family);
}
