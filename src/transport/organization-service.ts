import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { OrganizationService } from "../gen/zitadel/org/v2/org_service_pb.js";
import { addOrganization } from "../organization/add-organization.ts";
import { deleteOrganization } from "../organization/delete-organization.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import { listOrganizations } from "../organization/organization-queries.ts";
import type { NewHuman } from "../user/prepare-user.ts";
import { toDetails, toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromAddOrganization, fromListOrganizations, toOrganization } from "./organization-mapping.ts";

/** `zitadel.org.v2.OrganizationService`: message to command, call, result to message. */
export function organizationService(
  dependencies: OrganizationDependencies<NewHuman>,
): ServiceImpl<typeof OrganizationService> {
  return {
    async addOrganization(request, context) {
      const added = await addOrganization(dependencies, callerOf(context), fromAddOrganization(request));
      const { details, organizationId, createdAdmins } = added;
      return { details: toDetails(details), organizationId, createdAdmins };
    },
    async listOrganizations(request, context) {
      const query = fromListOrganizations(request);
      const { rows, total, now } = await listOrganizations(dependencies, callerOf(context), query);
      const { sortingColumn } = request;
      return { details: toListDetails(total, now), sortingColumn, result: rows.map(toOrganization) };
    },
    async deleteOrganization({ organizationId }, context) {
      const { changedAt } = await deleteOrganization(dependencies, callerOf(context), organizationId);
      return { deletionDate: timestampFromDate(changedAt) };
    },
  };
}
