import type { AzureADTenant, Options } from "../gen/zitadel/idp/v1/idp_pb.js";
import type { ProviderInput } from "../idp/change-providers.ts";
import type { EntraTenant } from "../idp/protocol/presets.ts";
import type { IdpOptions } from "../storage/tables.ts";
import { tenantTypes } from "./idp-mapping.ts";

/*
 * The requests of the admin and of the management service are the same, field by field, under two names. Whether PKCE
 * is used is not up to the request: it always is.
 */

type Common = { name: string; clientId: string; scopes: string[]; providerOptions?: Options | undefined };
type WithSecret = Common & { clientSecret: string };

export type GenericOAuth = WithSecret & {
  authorizationEndpoint: string;
  tokenEndpoint: string;
  userEndpoint: string;
  idAttribute: string;
};

export type GenericOidc = WithSecret & { issuer: string; isIdTokenMapping: boolean };

export type AzureAd = WithSecret & { tenant?: AzureADTenant | undefined; emailVerified: boolean };

export type Apple = Common & { teamId: string; keyId: string; privateKey: Uint8Array };

export function fromGenericOAuth(request: GenericOAuth): ProviderInput {
  const { clientId, scopes, authorizationEndpoint, tokenEndpoint, userEndpoint, idAttribute } = request;
  const endpoints = { authorizationEndpoint, tokenEndpoint, userEndpoint };
  return {
    ...fromWithSecret(request),
    settings: { type: "oauth", clientId, scopes, ...endpoints, idAttribute },
  };
}

export function fromGenericOidc(request: GenericOidc): ProviderInput {
  const { clientId, scopes, issuer, isIdTokenMapping } = request;
  return {
    ...fromWithSecret(request),
    settings: { type: "oidc", clientId, scopes, issuer, isIdTokenMapping },
  };
}

const brands = { google: "Google", github: "GitHub", gitlab: "GitLab" };

export function fromBrand(type: keyof typeof brands, request: WithSecret): ProviderInput {
  const { clientId, scopes } = request;
  const name = request.name.trim() || brands[type];
  return { ...fromWithSecret(request), name, settings: { type, clientId, scopes } };
}

export function fromAzureAd(request: AzureAd): ProviderInput {
  const { clientId, scopes, tenant, emailVerified } = request;
  return {
    ...fromWithSecret(request),
    settings: { type: "azure_ad", clientId, scopes, tenant: fromTenant(tenant), emailVerified },
  };
}

export function fromApple({ privateKey, ...request }: Apple): ProviderInput {
  const { clientId, scopes, teamId, keyId } = request;
  return {
    name: request.name.trim() || "Apple",
    secret: Buffer.from(privateKey).toString(),
    options: fromOptions(request.providerOptions),
    settings: { type: "apple", clientId, scopes, teamId, keyId },
  };
}

function fromWithSecret({
  name,
  clientSecret,
  providerOptions,
}: WithSecret): Omit<ProviderInput, "settings"> {
  return { name, secret: clientSecret, options: fromOptions(providerOptions) };
}

function fromOptions(options: Options | undefined): IdpOptions {
  return {
    isLinkingAllowed: options?.isLinkingAllowed ?? false,
    isCreationAllowed: options?.isCreationAllowed ?? false,
    isAutoCreation: options?.isAutoCreation ?? false,
    isAutoUpdate: options?.isAutoUpdate ?? false,
    autoLinking: options?.autoLinking ?? 0,
  };
}

/** Without one, everybody with an account at Microsoft. */
function fromTenant(tenant: AzureADTenant | undefined): EntraTenant {
  switch (tenant?.type.case) {
    case "tenantId":
      return tenant.type.value === "" ? "common" : { id: tenant.type.value };
    case "tenantType":
      return tenantTypes[tenant.type.value] ?? "common";
    default:
      return "common";
  }
}
