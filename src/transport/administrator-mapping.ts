import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DomainError } from "../errors.ts";
import type {
  ListAdministratorsRequest,
  ResourceType,
} from "../gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import {
  AdministratorFieldName,
  type AdministratorSchema,
  type AdministratorSearchFilter,
  type ResourceFilter,
} from "../gen/zitadel/internal_permission/v2/query_pb.js";
import type { Administrator, ListAdministrators, Resource } from "../organization/administrators.ts";
import type {
  AdministratorCondition,
  AdministratorRow,
  AdministratorSort,
} from "../storage/administrator-repository.ts";
import type { Condition } from "../storage/conditions.ts";
import { INSTANCE_RESOURCE } from "../storage/tables.ts";
import { fromPage } from "./details-mapping.ts";
import { fromTextMethod, fromTimestampFilter } from "./filter-mapping.ts";

/** A request about the roles of one user on one resource; where none are asked for, `roles` is empty. */
export function fromAdministrator(request: {
  userId: string;
  resource?: ResourceType;
  roles?: readonly string[];
}): Administrator {
  const { userId, resource, roles = [] } = request;
  return { userId, resource: fromResource(resource), roles };
}

function fromResource(type: ResourceType | undefined): Resource {
  switch (type?.resource.case) {
    case "instance":
      return { kind: "instance" };
    case "organizationId":
      return { kind: "organization", id: type.resource.value };
    default:
      return { kind: "other" };
  }
}

const sorts: { [field in AdministratorFieldName]: AdministratorSort } = {
  [AdministratorFieldName.UNSPECIFIED]: "createdAt",
  [AdministratorFieldName.USER_ID]: "userId",
  [AdministratorFieldName.CREATION_DATE]: "createdAt",
  [AdministratorFieldName.CHANGE_DATE]: "changedAt",
};

export function fromListAdministrators(request: ListAdministratorsRequest): ListAdministrators {
  return {
    ...fromPage(request.pagination),
    sort: sorts[request.sortingColumn] ?? "createdAt",
    conditions: request.filters.map(fromFilter),
  };
}

type Criterion = Condition<AdministratorCondition>;

function fromFilter({ filter }: AdministratorSearchFilter): Criterion {
  switch (filter.case) {
    case "creationDate":
      return { by: "createdAt", ...fromTimestampFilter(filter.value) };
    case "changeDate":
      return { by: "changedAt", ...fromTimestampFilter(filter.value) };
    case "inUserIdsFilter":
      return { by: "userIds", ids: filter.value.ids };
    case "userOrganizationId":
      return { by: "userOrganizationId", id: filter.value.id };
    case "userPreferredLoginName":
      return { by: "username", match: fromTextMethod(filter.value.preferredLoginName, filter.value.method) };
    case "userDisplayName":
      return { by: "displayName", match: fromTextMethod(filter.value.displayName, filter.value.method) };
    case "resource":
      return fromResourceFilter(filter.value);
    case "role":
      return { by: "role", role: filter.value.roleKey };
    case "and":
      return { by: "and", conditions: combined(filter.value.queries) };
    case "or":
      return { by: "or", conditions: combined(filter.value.queries) };
    case "not":
      if (filter.value.query === undefined) throw new DomainError("administrator.query_empty");
      return { by: "not", condition: fromFilter(filter.value.query) };
    default:
      throw new DomainError("administrator.query_empty");
  }
}

function combined(filters: readonly AdministratorSearchFilter[]): Criterion[] {
  if (filters.length === 0) throw new DomainError("administrator.query_empty");
  return filters.map(fromFilter);
}

const nobody: Criterion = { by: "or", conditions: [] };

function fromResourceFilter({ resource }: ResourceFilter): Criterion {
  switch (resource.case) {
    case "instance":
      return resource.value
        ? { by: "resourceId", id: INSTANCE_RESOURCE }
        : { by: "not", condition: { by: "resourceId", id: INSTANCE_RESOURCE } };
    case "organizationId":
      return resource.value === INSTANCE_RESOURCE ? nobody : { by: "resourceId", id: resource.value };
    default:
      return nobody;
  }
}

export function toAdministrator(row: AdministratorRow): MessageInitShape<typeof AdministratorSchema> {
  return {
    creationDate: timestampFromDate(row.createdAt),
    changeDate: timestampFromDate(row.changedAt),
    user: {
      id: row.userId,
      preferredLoginName: row.username,
      displayName: row.displayName,
      organizationId: row.userOrganizationId,
    },
    resource:
      row.resourceId === INSTANCE_RESOURCE
        ? { case: "instance", value: true }
        : { case: "organization", value: { id: row.resourceId, name: row.organizationName ?? "" } },
    roles: row.roles,
  };
}
