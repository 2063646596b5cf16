import { isIP } from "node:net";
import { DomainError } from "../errors.ts";
import type { SessionFilter } from "../storage/session-filter.ts";

/** Whether a filter has no condition at all, how sessions stand aside. */
export function isEmpty({ statuses: _, ...conditions }: SessionFilter): boolean {
  return Object.keys(conditions).length === 0;
}

/**
 * Refuses a filter nobody could evaluate, or not without looking at every session there is: factors and metadata have
 * no index, so something that has one must stand beside them.
 * @throws DomainError `session.filter_address_invalid`, `session.filter_not_indexed`
 */
export function checkFilter(filter: SessionFilter): void {
  for (const network of filter.addresses ?? []) {
    if (!isNetwork(network)) throw new DomainError("session.filter_address_invalid");
  }
  const { factorsPresent, factorsMissing, metadata, createdFrom, createdBefore } = filter;
  if (!factorsPresent && !factorsMissing && !metadata) return;
  if (createdFrom !== undefined && createdBefore !== undefined) return;
  if (!isNarrow(filter) && !filter.organizationIds && !filter.creatorIds && !filter.addresses) {
    throw new DomainError("session.filter_not_indexed");
  }
}

/** Whether a filter names few sessions by its nature: by id, by user, by user agent. */
export function isNarrow({ ids, userIds, fingerprintIds }: SessionFilter): boolean {
  return ids !== undefined || userIds !== undefined || fingerprintIds !== undefined;
}

/** An IP address, or one and the number of leading bits that count. */
function isNetwork(text: string): boolean {
  const [address, prefix, ...rest] = text.split("/") as [string, string?, ...string[]];
  const version = isIP(address);
  // A zone means something on one machine only.
  if (version === 0 || address.includes("%") || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}
