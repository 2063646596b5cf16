import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionSettingsService } from "../gen/gatehouse/session/v1/session_settings_service_pb.js";
import type { SettingsDependencies } from "../organization/settings/change-instance.ts";
import {
  changeSessionSettings,
  resetOrganizationConcurrency,
  setOrganizationConcurrency,
} from "../organization/settings/change-session-settings.ts";
import { sessionSettingsInForce } from "../organization/settings/session-settings.ts";
import { toDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromConcurrency, fromSessionSettings, toSessionSettings } from "./session-settings-mapping.ts";

/** `gatehouse.session.v1.SessionSettingsService`: how long sessions live, and how many a user may have. */
export function sessionSettingsService(
  dependencies: SettingsDependencies,
): ServiceImpl<typeof SessionSettingsService> {
  return {
    async getSessionSettings({ organizationId }, context) {
      const owner = organizationId === undefined ? "instance" : { organizationId };
      const found = await sessionSettingsInForce(dependencies, callerOf(context), owner);
      const { details, settings, isConcurrencyOwn } = found;
      return { details: toDetails(details), settings: toSessionSettings(settings), isConcurrencyOwn };
    },
    async setSessionSettings(request, context) {
      const settings = fromSessionSettings(request.settings);
      const details = await changeSessionSettings(dependencies, callerOf(context), settings);
      return { details: toDetails(details) };
    },
    async setOrganizationConcurrency({ organizationId, ...request }, context) {
      const concurrency = fromConcurrency(request.concurrency);
      const caller = callerOf(context);
      const details = await setOrganizationConcurrency(dependencies, caller, organizationId, concurrency);
      return { details: toDetails(details) };
    },
    async resetOrganizationConcurrency({ organizationId }, context) {
      const details = await resetOrganizationConcurrency(dependencies, callerOf(context), organizationId);
      return { details: toDetails(details) };
    },
  };
}
