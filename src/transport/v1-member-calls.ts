import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import packageJson from "../../package.json" with { type: "json" };
import type { AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import { State } from "../gen/zitadel/instance/v1/instance_pb.js";
import type {
  AddMachineUserRequest,
  ManagementService,
} from "../gen/zitadel/management/v1/management_service_pb.js";
import { type OrgSchema, OrgState } from "../gen/zitadel/org/v1/org_pb.js";
import {
  createAdministrator,
  deleteAdministrator,
  updateAdministrator,
} from "../organization/administrators.ts";
import { deleteOrganization } from "../organization/delete-organization.ts";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import { instanceFacts, organizationById } from "../organization/instance-queries.ts";
import type { OrganizationState } from "../organization/organization.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { createUser } from "../user/create-user.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { addPersonalAccessToken } from "../user/personal-access-tokens.ts";
import type { NewMachine } from "../user/prepare-user.ts";
import { toObjectDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromAddPersonalAccessToken } from "./user-machine-mapping.ts";

type Dependencies = Omit<OrganizationDependencies, "draftHuman">;

const onInstance = { kind: "instance" } as const;

/** The instance and who administers it, in `zitadel.admin.v1.AdminService`. */
export function adminMemberCalls(dependencies: Dependencies) {
  return {
    async getMyInstance() {
      const { id, details, domain } = await instanceFacts(dependencies);
      const version = packageJson.version;
      return {
        instance: {
          id,
          details: toObjectDetails(details),
          state: State.RUNNING,
          name: "Gatehouse",
          version,
          domains: [{ details: toObjectDetails(details), domain, primary: true, generated: false }],
        },
      };
    },
    async addIAMMember({ userId, roles }, context) {
      const command = { userId, resource: onInstance, roles };
      return answer(await createAdministrator(dependencies, callerOf(context), command));
    },
    async updateIAMMember({ userId, roles }, context) {
      const command = { userId, resource: onInstance, roles };
      return answer(await updateAdministrator(dependencies, callerOf(context), command));
    },
    async removeIAMMember({ userId }, context) {
      const command = { userId, resource: onInstance };
      return answer(await deleteAdministrator(dependencies, callerOf(context), command));
    },
  } satisfies Partial<ServiceImpl<typeof AdminService>>;
}

/** An organization, who administers it, and its programs, in `zitadel.management.v1.ManagementService`. */
export function managementMemberCalls(dependencies: Dependencies, users: UserDependencies) {
  return {
    async getMyOrg(_, context) {
      const caller = callerOf(context);
      return { org: toOrg(await organizationById(dependencies, caller, caller.contextOrganizationId)) };
    },
    async removeOrg(_, context) {
      const caller = callerOf(context);
      return answer(await deleteOrganization(dependencies, caller, caller.contextOrganizationId));
    },
    async addOrgMember({ userId, roles }, context) {
      const caller = callerOf(context);
      const command = { userId, resource: organization(caller.contextOrganizationId), roles };
      return answer(await createAdministrator(dependencies, caller, command));
    },
    async updateOrgMember({ userId, roles }, context) {
      const caller = callerOf(context);
      const command = { userId, resource: organization(caller.contextOrganizationId), roles };
      return answer(await updateAdministrator(dependencies, caller, command));
    },
    async removeOrgMember({ userId }, context) {
      const caller = callerOf(context);
      const command = { userId, resource: organization(caller.contextOrganizationId) };
      return answer(await deleteAdministrator(dependencies, caller, command));
    },
    async addMachineUser(request, context) {
      const caller = callerOf(context);
      const command = { organizationId: caller.contextOrganizationId, machine: fromMachine(request) };
      const { userId, details } = await createUser(users, caller, command);
      return { userId, details: toObjectDetails(details) };
    },
    async addPersonalAccessToken(request, context) {
      const command = fromAddPersonalAccessToken(request);
      const added = await addPersonalAccessToken(users, callerOf(context), command);
      return { tokenId: added.tokenId, token: added.token, details: toObjectDetails(added.details) };
    },
  } satisfies Partial<ServiceImpl<typeof ManagementService>>;
}

const organization = (id: string) => ({ kind: "organization", id }) as const;

/** Where nothing was to be changed there is nothing to tell. */
const answer = (details: Details | undefined) => (details ? { details: toObjectDetails(details) } : {});

function fromMachine(request: AddMachineUserRequest): NewMachine {
  const { userId, userName: username, name, description, accessTokenType } = request;
  return {
    userId,
    username,
    name,
    ...(description === "" ? {} : { description }),
    accessTokenType,
    metadata: [],
  };
}

const orgStates: { [status in OrganizationState["status"]]: OrgState } = {
  none: OrgState.UNSPECIFIED,
  active: OrgState.ACTIVE,
  inactive: OrgState.INACTIVE,
  removed: OrgState.REMOVED,
};

function toOrg(found: OrganizationState): MessageInitShape<typeof OrgSchema> {
  const { id, status, name, primaryDomain } = found;
  return {
    id,
    details: toObjectDetails(detailsOf(found, id)),
    state: orgStates[status],
    name,
    primaryDomain,
  };
}
