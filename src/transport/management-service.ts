import type { ServiceImpl } from "@connectrpc/connect";
import type { ManagementService } from "../gen/zitadel/management/v1/management_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { managementMemberCalls } from "./v1-member-calls.ts";
import { managementProviderCalls } from "./v1-provider-calls.ts";
import { managementSettingsCalls } from "./v1-settings-calls.ts";

/** `zitadel.management.v1.ManagementService`: one organization, as older tools administer it. */
export function managementService(
  organizations: Omit<OrganizationDependencies, "draftHuman">,
  users: UserDependencies,
  idps: IdpDependencies,
): Partial<ServiceImpl<typeof ManagementService>> {
  return {
    ...managementSettingsCalls(organizations),
    ...managementMemberCalls(organizations, users),
    ...managementProviderCalls(idps),
  };
}
