import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { InternalPermissionService } from "../gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import {
  createAdministrator,
  deleteAdministrator,
  listAdministrators,
  updateAdministrator,
} from "../organization/administrators.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import { fromAdministrator, fromListAdministrators, toAdministrator } from "./administrator-mapping.ts";
import { toPagination } from "./filter-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

/** `zitadel.internal_permission.v2.InternalPermissionService`: message to command, call, result to message. */
export function administratorService(
  dependencies: Omit<OrganizationDependencies, "domain" | "draftHuman">,
): ServiceImpl<typeof InternalPermissionService> {
  return {
    async createAdministrator(request, context) {
      const added = await createAdministrator(dependencies, callerOf(context), fromAdministrator(request));
      return { creationDate: timestampFromDate(added.changedAt) };
    },
    async updateAdministrator(request, context) {
      const changed = await updateAdministrator(dependencies, callerOf(context), fromAdministrator(request));
      return { changeDate: timestampFromDate(changed.changedAt) };
    },
    async deleteAdministrator(request, context) {
      const deleted = await deleteAdministrator(dependencies, callerOf(context), fromAdministrator(request));
      return { deletionDate: deleted && timestampFromDate(deleted.changedAt) };
    },
    async listAdministrators(request, context) {
      const query = fromListAdministrators(request);
      const page = await listAdministrators(dependencies, callerOf(context), query);
      return { pagination: toPagination(page), administrators: page.rows.map(toAdministrator) };
    },
  };
}
