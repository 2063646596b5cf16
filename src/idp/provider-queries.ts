import { type Caller, INSTANCE, isPermitted } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import type { IdpDependencies } from "./dependencies.ts";
import type { IdentityProviderState } from "./identity-provider.ts";

/**
 * Reads a provider, without its secret. The permission comes first: who could read any provider may know that this one
 * does not exist, all others are told the same as for a stranger's.
 * @throws DomainError `auth.permission_denied`, `idp.not_found`
 */
export async function getProvider(
  { identityProviders }: Pick<IdpDependencies, "identityProviders">,
  caller: Caller,
  id: string,
): Promise<IdentityProviderState> {
  const provider = await identityProviders.find(id);
  const organizationId = provider?.organizationId ?? null;
  const permitted =
    organizationId === null
      ? isPermitted(caller, "iam.idp.read", INSTANCE)
      : isPermitted(caller, "org.idp.read", organizationId);
  if (!permitted) throw new DomainError("auth.permission_denied");
  if (provider === undefined || provider.status === "removed") throw new DomainError("idp.not_found");
  return provider;
}

/**
 * The provider, if users of this organization may sign in with it: the instance's, or the organization's own.
 * @returns undefined also for one that was removed or switched off
 */
export async function providerFor(
  { identityProviders }: Pick<IdpDependencies, "identityProviders">,
  organizationId: string,
  id: string,
): Promise<IdentityProviderState | undefined> {
  const provider = await identityProviders.find(id);
  if (provider?.status !== "active") return undefined;
  return provider.organizationId === null || provider.organizationId === organizationId
    ? provider
    : undefined;
}
