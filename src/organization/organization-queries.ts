import { type Caller, permittedScopes } from "../auth/caller.ts";
import { checkConditions } from "../storage/conditions.ts";
import type { OrganizationCondition, OrganizationSort } from "../storage/organization-repository.ts";
import { appliedLimit, type Page } from "../storage/page.ts";
import type { OrganizationDependencies } from "./dependencies.ts";
import type { OrganizationState } from "./organization.ts";

export type ListOrganizations = {
  conditions: readonly OrganizationCondition[];
  sort: OrganizationSort;
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

/**
 * Lists the organizations the caller holds `org.read` in. What may not be seen is neither listed nor counted.
 * @throws DomainError `list.limit_exceeded`, `list.query_too_large`
 */
export async function listOrganizations(
  { organizations }: Pick<OrganizationDependencies, "organizations">,
  caller: Caller,
  { limit, ...query }: ListOrganizations,
): Promise<Page<OrganizationState>> {
  checkConditions(query.conditions, "list.query_too_large");
  const scopes = permittedScopes(caller, "org.read");
  return organizations.search({
    ...query,
    limit: appliedLimit(limit),
    visibility: scopes === "everywhere" ? "everything" : scopes,
  });
}
