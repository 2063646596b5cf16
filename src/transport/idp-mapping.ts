import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AzureADTenantType,
  type IDPConfigSchema,
  type IDPSchema,
  IDPState,
  IDPType,
} from "../gen/zitadel/idp/v2/idp_pb.js";
import type { IdentityProviderState } from "../idp/identity-provider.ts";
import type { EntraTenant } from "../idp/protocol/presets.ts";
import { settingsOf } from "../idp/provider-settings.ts";
import { detailsOf } from "../storage/details.ts";
import { toDetails } from "./details-mapping.ts";

const states: { [status in IdentityProviderState["status"]]: IDPState } = {
  none: IDPState.IDP_STATE_UNSPECIFIED,
  active: IDPState.IDP_STATE_ACTIVE,
  inactive: IDPState.IDP_STATE_INACTIVE,
  removed: IDPState.IDP_STATE_REMOVED,
};

const types: { [type in IdentityProviderState["type"]]: IDPType } = {
  oidc: IDPType.IDP_TYPE_OIDC,
  oauth: IDPType.IDP_TYPE_OAUTH,
  google: IDPType.IDP_TYPE_GOOGLE,
  github: IDPType.IDP_TYPE_GITHUB,
  gitlab: IDPType.IDP_TYPE_GITLAB,
  azure_ad: IDPType.IDP_TYPE_AZURE_AD,
  apple: IDPType.IDP_TYPE_APPLE,
};

/** @param instanceId resource owner of a provider that belongs to no organization */
export function toIdentityProvider(
  provider: IdentityProviderState,
  instanceId: string,
): MessageInitShape<typeof IDPSchema> {
  return {
    id: provider.id,
    details: toDetails(detailsOf(provider, provider.organizationId ?? instanceId)),
    state: states[provider.status],
    name: provider.name,
    type: types[provider.type],
    config: { options: provider.options, config: toConfig(provider) },
  };
}

function toConfig(provider: IdentityProviderState): MessageInitShape<typeof IDPConfigSchema>["config"] {
  const settings = settingsOf(provider);
  // Of the settings a message takes what it knows; scopes come from the database and are nobody else's.
  const value = { ...settings, scopes: [...settings.scopes] };
  switch (value.type) {
    case "azure_ad":
      return { case: "azureAd", value: { ...value, tenant: toTenant(value.tenant) } };
    case "oidc":
      return { case: "oidc", value };
    case "oauth":
      return { case: "oauth", value };
    case "apple":
      return { case: "apple", value };
    default:
      return { case: value.type, value };
  }
}

/** The names of the three kinds of tenants, by their numbers in both versions of the contract. */
export const tenantTypes: { [type in AzureADTenantType]: Exclude<EntraTenant, object> } = {
  [AzureADTenantType.AZURE_AD_TENANT_TYPE_COMMON]: "common",
  [AzureADTenantType.AZURE_AD_TENANT_TYPE_ORGANISATIONS]: "organizations",
  [AzureADTenantType.AZURE_AD_TENANT_TYPE_CONSUMERS]: "consumers",
};

function toTenant(tenant: EntraTenant) {
  if (typeof tenant === "object") return { type: { case: "tenantId" as const, value: tenant.id } };
  const type = Number(Object.entries(tenantTypes).find(([, name]) => name === tenant)![0]);
  return { type: { case: "tenantType" as const, value: type as AzureADTenantType } };
}
