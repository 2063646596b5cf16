import type { Caller } from "../auth/caller.ts";
import { checkConditions } from "../storage/conditions.ts";
import type {
  CredentialCondition,
  CredentialSearch,
  CredentialSort,
} from "../storage/machine-credential-search.ts";
import { appliedLimit, type Page } from "../storage/page.ts";
import { readableBy } from "./user-queries.ts";

/** A list of what service accounts sign in with: their tokens, or their keys. */
export type ListCredentials = {
  conditions: readonly CredentialCondition[];
  sort: CredentialSort;
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

export type CredentialPage<R> = Page<R> & { appliedLimit: number };

/**
 * Lists what belongs to users the caller may read. What may not be seen is neither listed nor counted.
 * @throws DomainError `list.limit_exceeded`, `list.query_too_large`
 */
export async function listCredentials<R>(
  find: (search: CredentialSearch) => Promise<Page<R>>,
  caller: Caller,
  { limit, ...query }: ListCredentials,
): Promise<CredentialPage<R>> {
  const applied = appliedLimit(limit);
  checkConditions(query.conditions, "list.query_too_large");
  const page = await find({ ...query, limit: applied, visibility: readableBy(caller) });
  return { ...page, appliedLimit: applied };
}
