import { DomainError, type ErrorSlug } from "../errors.ts";
import type { Change } from "../storage/aggregate.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";

/**
 * A change without events, for what is added to an organization: the unit is refused if the organization has changed
 * meanwhile, so it can't be removed unnoticed.
 * @throws DomainError `notFound` if there is no such organization, or no longer
 */
export async function existingOrganization(
  organizations: Pick<OrganizationRepository, "find">,
  id: string,
  notFound: ErrorSlug,
): Promise<Change> {
  const organization = await organizations.find(id);
  if (organization === undefined || organization.status === "removed") throw new DomainError(notFound);
  return { type: "org", id, expectedSequence: organization.sequence, events: [], state: organization };
}
