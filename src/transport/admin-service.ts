import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { adminDeliveryCalls } from "./v1-delivery-calls.ts";
import { adminMemberCalls } from "./v1-member-calls.ts";
import { adminProviderCalls } from "./v1-provider-calls.ts";
import { adminSettingsCalls } from "./v1-settings-calls.ts";

/** `zitadel.admin.v1.AdminService`: the instance, as older tools administer it. */
export function adminService(
  dependencies: Omit<OrganizationDependencies, "draftHuman">,
  idps: IdpDependencies,
  users: UserDependencies,
): Partial<ServiceImpl<typeof AdminService>> {
  return {
    ...adminSettingsCalls(dependencies),
    ...adminMemberCalls(dependencies),
    ...adminProviderCalls(idps),
    ...adminDeliveryCalls(users),
  };
}
