import type { ServiceImpl } from "@connectrpc/connect";
import type { IdentityProviderService } from "../gen/zitadel/idp/v2/idp_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import { getProvider } from "../idp/provider-queries.ts";
import { toIdentityProvider } from "./idp-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

/** `zitadel.idp.v2.IdentityProviderService`: message to query, result to message. */
export function idpService(dependencies: IdpDependencies): ServiceImpl<typeof IdentityProviderService> {
  return {
    async getIDPByID({ id }, context) {
      const provider = await getProvider(dependencies, callerOf(context), id);
      return { idp: toIdentityProvider(provider, dependencies.instanceId) };
    },
  };
}
