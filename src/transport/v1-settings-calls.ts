import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import type { ManagementService } from "../gen/zitadel/management/v1/management_service_pb.js";
import { changeSecretGenerator } from "../organization/secret-generators.ts";
import type { SettingsDependencies } from "../organization/settings/change-instance.ts";
import {
  addOrganizationLockout,
  changeLockout,
  changeOrganizationLockout,
  resetOrganizationLockout,
} from "../organization/settings/lockout.ts";
import {
  allowFactor,
  changeLoginRules,
  forbidFactor,
  offerIdentityProvider,
  withdrawIdentityProvider,
} from "../organization/settings/login-settings.ts";
import { changePasswordAge, changePasswordComplexity } from "../organization/settings/password-settings.ts";
import { settingsInForce } from "../organization/settings/settings-queries.ts";
import type { Details } from "../storage/details.ts";
import { toObjectDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import {
  fromLockout,
  fromLoginPolicy,
  fromPasswordComplexity,
  fromSecretGenerator,
  toLockoutPolicy,
} from "./v1-settings-mapping.ts";

/** The settings of the instance in `zitadel.admin.v1.AdminService`. */
export function adminSettingsCalls(dependencies: SettingsDependencies) {
  return {
    async getLockoutPolicy(_, context) {
      const { lockout } = await settingsInForce(dependencies, callerOf(context), "instance");
      return { policy: toLockoutPolicy(lockout) };
    },
    async updateLockoutPolicy(request, context) {
      return answer(await changeLockout(dependencies, callerOf(context), fromLockout(request)));
    },
    async updatePasswordComplexityPolicy(request, context) {
      const complexity = fromPasswordComplexity(request);
      return answer(await changePasswordComplexity(dependencies, callerOf(context), complexity));
    },
    async updatePasswordAgePolicy({ maxAgeDays, expireWarnDays }, context) {
      const age = { maxAgeDays, expireWarnDays };
      return answer(await changePasswordAge(dependencies, callerOf(context), age));
    },
    async updateLoginPolicy(request, context) {
      return answer(await changeLoginRules(dependencies, callerOf(context), fromLoginPolicy(request)));
    },
    async addSecondFactorToLoginPolicy({ type }, context) {
      return answer(await allowFactor(dependencies, callerOf(context), "secondFactor", type));
    },
    async removeSecondFactorFromLoginPolicy({ type }, context) {
      return answer(await forbidFactor(dependencies, callerOf(context), "secondFactor", type));
    },
    async addMultiFactorToLoginPolicy({ type }, context) {
      return answer(await allowFactor(dependencies, callerOf(context), "multiFactor", type));
    },
    async removeMultiFactorFromLoginPolicy({ type }, context) {
      return answer(await forbidFactor(dependencies, callerOf(context), "multiFactor", type));
    },
    async addIDPToLoginPolicy({ idpId }, context) {
      return answer(await offerIdentityProvider(dependencies, callerOf(context), idpId));
    },
    async removeIDPFromLoginPolicy({ idpId }, context) {
      return answer(await withdrawIdentityProvider(dependencies, callerOf(context), idpId));
    },
    async updateSecretGenerator(request, context) {
      const generator = fromSecretGenerator(request);
      const caller = callerOf(context);
      return answer(await changeSecretGenerator(dependencies, caller, request.generatorType, generator));
    },
  } satisfies Partial<ServiceImpl<typeof AdminService>>;
}

/** The settings of one organization in `zitadel.management.v1.ManagementService`. */
export function managementSettingsCalls(dependencies: SettingsDependencies) {
  return {
    async getLockoutPolicy(_, context) {
      const { lockout } = await settingsInForce(dependencies, callerOf(context), undefined);
      const policy = toLockoutPolicy(lockout);
      return { policy, isDefault: lockout.owner === "instance" };
    },
    async addCustomLockoutPolicy(request, context) {
      const caller = callerOf(context);
      const limits = fromLockout(request);
      return answer(await addOrganizationLockout(dependencies, caller, caller.contextOrganizationId, limits));
    },
    async updateCustomLockoutPolicy(request, context) {
      const caller = callerOf(context);
      const limits = fromLockout(request);
      return answer(
        await changeOrganizationLockout(dependencies, caller, caller.contextOrganizationId, limits),
      );
    },
    async resetLockoutPolicyToDefault(_, context) {
      const caller = callerOf(context);
      return answer(await resetOrganizationLockout(dependencies, caller, caller.contextOrganizationId));
    },
  } satisfies Partial<ServiceImpl<typeof ManagementService>>;
}

const answer = (details: Details) => ({ details: toObjectDetails(details) });
