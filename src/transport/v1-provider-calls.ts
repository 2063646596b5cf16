import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type Caller, INSTANCE, type Scope } from "../auth/caller.ts";
import type { AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import type { ManagementService } from "../gen/zitadel/management/v1/management_service_pb.js";
import { addProvider, type ProviderInput, removeProvider, updateProvider } from "../idp/change-providers.ts";
import type { IdpDependencies } from "../idp/dependencies.ts";
import { toObjectDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import {
  type Apple,
  type AzureAd,
  fromApple,
  fromAzureAd,
  fromBrand,
  fromGenericOAuth,
  fromGenericOidc,
  type GenericOAuth,
  type GenericOidc,
} from "./v1-provider-mapping.ts";

/** `zitadel.admin.v1.AdminService`: the identity providers of the instance. */
export function adminProviderCalls(dependencies: IdpDependencies) {
  return providerCalls(dependencies, () => INSTANCE) satisfies Partial<ServiceImpl<typeof AdminService>>;
}

/** `zitadel.management.v1.ManagementService`: the identity providers of the organization the call is about. */
export function managementProviderCalls(dependencies: IdpDependencies) {
  return providerCalls(dependencies, ({ contextOrganizationId }) => contextOrganizationId) satisfies Partial<
    ServiceImpl<typeof ManagementService>
  >;
}

function providerCalls(dependencies: IdpDependencies, ownerOf: (caller: Caller) => Scope) {
  const add = async (input: ProviderInput, context: HandlerContext) => {
    const caller = callerOf(context);
    const { id, details } = await addProvider(dependencies, caller, ownerOf(caller), input);
    return { id, details: toObjectDetails(details) };
  };
  const update = async (id: string, input: ProviderInput, context: HandlerContext) => {
    const caller = callerOf(context);
    const details = await updateProvider(dependencies, caller, ownerOf(caller), { id, ...input });
    return { details: toObjectDetails(details) };
  };
  type Brand = Parameters<typeof fromBrand>[1];
  return {
    addGenericOAuthProvider: (request: GenericOAuth, context: HandlerContext) =>
      add(fromGenericOAuth(request), context),
    updateGenericOAuthProvider: (request: GenericOAuth & { id: string }, context: HandlerContext) =>
      update(request.id, fromGenericOAuth(request), context),
    addGenericOIDCProvider: (request: GenericOidc, context: HandlerContext) =>
      add(fromGenericOidc(request), context),
    updateGenericOIDCProvider: (request: GenericOidc & { id: string }, context: HandlerContext) =>
      update(request.id, fromGenericOidc(request), context),
    addGoogleProvider: (request: Brand, context: HandlerContext) =>
      add(fromBrand("google", request), context),
    addGitHubProvider: (request: Brand, context: HandlerContext) =>
      add(fromBrand("github", request), context),
    addGitLabProvider: (request: Brand, context: HandlerContext) =>
      add(fromBrand("gitlab", request), context),
    addAzureADProvider: (request: AzureAd, context: HandlerContext) => add(fromAzureAd(request), context),
    addAppleProvider: (request: Apple, context: HandlerContext) => add(fromApple(request), context),
    deleteProvider: async ({ id }: { id: string }, context: HandlerContext) => {
      const caller = callerOf(context);
      const details = await removeProvider(dependencies, caller, ownerOf(caller), id);
      return { details: toObjectDetails(details) };
    },
  };
}
