import type { MessageInitShape } from "@bufbuild/protobuf";
import { DomainError } from "../errors.ts";
import { type OrganizationSchema, OrganizationState as StateOnWire } from "../gen/zitadel/org/v2/org_pb.js";
import type {
  AddOrganizationRequest,
  ListOrganizationsRequest,
} from "../gen/zitadel/org/v2/org_service_pb.js";
import { OrganizationFieldName, type SearchQuery } from "../gen/zitadel/org/v2/query_pb.js";
import type { AddOrganization, NewAdministrator } from "../organization/add-organization.ts";
import type { OrganizationState } from "../organization/organization.ts";
import type { ListOrganizations } from "../organization/organization-queries.ts";
import { detailsOf } from "../storage/details.ts";
import type { OrganizationCondition } from "../storage/organization-repository.ts";
import type { NewHuman } from "../user/prepare-user.ts";
import { fromPage, toDetails } from "./details-mapping.ts";
import { fromTextMethod } from "./filter-mapping.ts";
import { fromHuman } from "./user-mapping.ts";

export function fromAddOrganization(request: AddOrganizationRequest): AddOrganization<NewHuman> {
  const { name, organizationId, orgId, admins } = request;
  return { name, organizationId: organizationId ?? orgId, admins: admins.map(fromAdmin) };
}

function fromAdmin({
  userType,
  roles,
}: AddOrganizationRequest["admins"][number]): NewAdministrator<NewHuman> {
  switch (userType.case) {
    case "userId":
      return { user: { id: userType.value }, roles };
    case "human":
      return { user: { human: fromHuman(userType.value) }, roles };
    default:
      return { user: undefined, roles };
  }
}

export function fromListOrganizations(request: ListOrganizationsRequest): ListOrganizations {
  return {
    ...fromPage(request.query),
    sort: request.sortingColumn === OrganizationFieldName.NAME ? "name" : "createdAt",
    conditions: request.queries.map(fromOrganizationQuery),
  };
}

const statuses: { [state in StateOnWire]: OrganizationState["status"] } = {
  [StateOnWire.UNSPECIFIED]: "none",
  [StateOnWire.ACTIVE]: "active",
  [StateOnWire.INACTIVE]: "inactive",
  [StateOnWire.REMOVED]: "removed",
};

function fromOrganizationQuery({ query }: SearchQuery): OrganizationCondition {
  switch (query.case) {
    case "nameQuery":
      return { by: "name", match: fromTextMethod(query.value.name, query.value.method) };
    case "domainQuery":
      return { by: "domain", match: fromTextMethod(query.value.domain, query.value.method) };
    case "stateQuery":
      return { by: "status", status: statuses[query.value.state] };
    case "idQuery":
      return { by: "id", id: query.value.id };
    case "defaultQuery":
      return { by: "default" };
    default:
      throw new DomainError("organization.query_empty");
  }
}

const states: { [status in OrganizationState["status"]]: StateOnWire } = {
  none: StateOnWire.UNSPECIFIED,
  active: StateOnWire.ACTIVE,
  inactive: StateOnWire.INACTIVE,
  removed: StateOnWire.REMOVED,
};

export function toOrganization(organization: OrganizationState): MessageInitShape<typeof OrganizationSchema> {
  return {
    id: organization.id,
    details: toDetails(detailsOf(organization, organization.id)),
    state: states[organization.status],
    name: organization.name,
    primaryDomain: organization.primaryDomain,
  };
}
