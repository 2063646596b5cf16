import { type Caller, demand } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { OrganizationDependencies } from "./dependencies.ts";
import type { OrganizationState } from "./organization.ts";

export type InstanceFacts = {
  id: string;
  details: Details;
  defaultOrganizationId: string;
  /** The host name it is known by. */
  domain: string;
};

/** Asks for no permission: none of this is about anybody, and each method that tells it names one of its own. */
export async function instanceFacts({
  organizations,
  domain,
}: Pick<OrganizationDependencies, "organizations" | "domain">): Promise<InstanceFacts> {
  const instance = (await organizations.instance())!;
  const { id, defaultOrganizationId } = instance;
  return { id, details: detailsOf(instance, id), defaultOrganizationId, domain };
}

/** @throws DomainError `auth.permission_denied`, `organization.not_found` */
export async function organizationById(
  { organizations }: Pick<OrganizationDependencies, "organizations">,
  caller: Caller,
  id: string,
): Promise<OrganizationState> {
  demand(caller, "org.read", id);
  const organization = await organizations.find(id);
  if (organization === undefined || organization.status === "removed") {
    throw new DomainError("organization.not_found");
  }
  return organization;
}
