import type { ServiceImpl } from "@connectrpc/connect";
import type { SettingsService } from "../gen/zitadel/settings/v2/settings_service_pb.js";
import type { OrganizationDependencies } from "../organization/dependencies.ts";
import { instanceFacts } from "../organization/instance-queries.ts";
import { activeIdentityProviders, settingsInForce } from "../organization/settings/settings-queries.ts";
import { toDetails, toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import {
  fromContext,
  fromProviderFilter,
  toActiveProvider,
  toLockoutSettings,
  toLoginSettings,
  toPasswordComplexitySettings,
  toPasswordExpirySettings,
} from "./settings-mapping.ts";

/** Of the texts this server shows to anybody. */
const LANGUAGES = ["en"];

/** `zitadel.settings.v2.SettingsService`: what applies to an organization, or to the instance. */
export function settingsService(
  dependencies: Pick<OrganizationDependencies, "organizations" | "domain">,
): ServiceImpl<typeof SettingsService> {
  return {
    async getLoginSettings({ ctx }, context) {
      const found = await settingsInForce(dependencies, callerOf(context), fromContext(ctx));
      return { details: toDetails(found.details), settings: toLoginSettings(found.settings) };
    },
    async getPasswordComplexitySettings({ ctx }, context) {
      const found = await settingsInForce(dependencies, callerOf(context), fromContext(ctx));
      return { details: toDetails(found.details), settings: toPasswordComplexitySettings(found.settings) };
    },
    async getPasswordExpirySettings({ ctx }, context) {
      const found = await settingsInForce(dependencies, callerOf(context), fromContext(ctx));
      return { details: toDetails(found.details), settings: toPasswordExpirySettings(found.settings) };
    },
    async getLockoutSettings({ ctx }, context) {
      const { lockout } = await settingsInForce(dependencies, callerOf(context), fromContext(ctx));
      return { details: toDetails(lockout.details), settings: toLockoutSettings(lockout) };
    },
    async getActiveIdentityProviders(request, context) {
      const { rows, total, now } = await activeIdentityProviders(
        dependencies,
        callerOf(context),
        fromContext(request.ctx),
        fromProviderFilter(request),
      );
      return { details: toListDetails(total, now), identityProviders: rows.map(toActiveProvider) };
    },
    async getGeneralSettings() {
      const { defaultOrganizationId } = await instanceFacts(dependencies);
      return {
        defaultOrgId: defaultOrganizationId,
        defaultOrganizationId,
        defaultLanguage: LANGUAGES[0]!,
        supportedLanguages: LANGUAGES,
        allowedLanguages: LANGUAGES,
      };
    },
    async getSecuritySettings() {
      // Neither is offered, so neither can be switched on.
      const { details } = await instanceFacts(dependencies);
      return {
        details: toDetails(details),
        settings: { embeddedIframe: { enabled: false }, enableImpersonation: false },
      };
    },
  };
}
