import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import { SessionSettingsService } from "../gen/gatehouse/session/v1/session_settings_service_pb.js";
import { AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import { IdentityProviderService } from "../gen/zitadel/idp/v2/idp_service_pb.js";
import { InternalPermissionService } from "../gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import { ManagementService } from "../gen/zitadel/management/v1/management_service_pb.js";
import { OrganizationService } from "../gen/zitadel/org/v2/org_service_pb.js";
import { SessionService } from "../gen/zitadel/session/v2/session_service_pb.js";
import { SessionService as SessionServiceV2Beta } from "../gen/zitadel/session/v2beta/session_service_pb.js";
import { SettingsService } from "../gen/zitadel/settings/v2/settings_service_pb.js";
import { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import type { SessionDependencies } from "../session/dependencies.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import type { NewHuman } from "../user/prepare-user.ts";
import { adminService } from "./admin-service.ts";
import { administratorService } from "./administrator-service.ts";
import { healthService, type Serving } from "./health-service.ts";
import { idpService } from "./idp-service.ts";
import { managementService } from "./management-service.ts";
import { organizationService } from "./organization-service.ts";
import { reflectionService } from "./reflection-service.ts";
import { sameWireShape } from "./same-wire-shape.ts";
import { sessionControlService } from "./session-control-service.ts";
import { sessionService } from "./session-service.ts";
import { sessionSettingsService } from "./session-settings-service.ts";
import { settingsService } from "./settings-service.ts";
import { userService } from "./user-service.ts";

export type ServiceDependencies = {
  sessions: SessionDependencies;
  users: UserDependencies;
  organizations: OrganizationDependencies<NewHuman>;
  idps: IdpDependencies;
};

/**
 * Every service of the contract, and the two that speak about them.
 * @param services all of them, once they are registered
 */
export function registerServices(
  router: ConnectRouter,
  { sessions, users, organizations, idps }: ServiceDependencies,
  serving: Serving,
  services: () => readonly DescService[],
): void {
  const sessionCalls = sessionService(sessions);
  router.service(SessionService, sessionCalls);
  router.service(SessionServiceV2Beta, sameWireShape(SessionServiceV2Beta, SessionService, sessionCalls));
  router.service(SessionControlService, sessionControlService(sessions));
  router.service(SessionSettingsService, sessionSettingsService(organizations));
  router.service(UserService, userService(users, idps));
  router.service(OrganizationService, organizationService(organizations));
  router.service(InternalPermissionService, administratorService(organizations));
  router.service(IdentityProviderService, idpService(idps));
  router.service(SettingsService, settingsService(organizations));
  router.service(AdminService, adminService(organizations, idps, users));
  router.service(ManagementService, managementService(organizations, users, idps));
  healthService(router, serving, services);
  reflectionService(router, services);
}
