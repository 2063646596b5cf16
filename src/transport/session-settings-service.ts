import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionSettingsService } from "../gen/gatehouse/session/v1/session_settings_service_pb.js";
import type { SettingsDependencies } from "../organization/settings/change-instance.ts";

export function sessionSettingsService(
  _dependencies: SettingsDependencies,
): Partial<ServiceImpl<typeof SessionSettingsService>> {
  return {};
}
