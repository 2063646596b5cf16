import { isDeepStrictEqual } from "node:util";
import { type Caller, demand, INSTANCE, type Scope } from "../auth/caller.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { existingOrganization } from "../organization/existing-organization.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { IdpOptions } from "../storage/tables.ts";
import type { IdpDependencies } from "./dependencies.ts";
import type { IdentityProviderEvent } from "./events.ts";
import { type IdentityProviderState, identityProviderAggregate } from "./identity-provider.ts";
import { isAppleKey } from "./protocol/apple-client-secret.ts";
import { knowsSecret, sealSecret } from "./provider-secret.ts";
import { configOf, type ProviderSettings, typedAddresses } from "./provider-settings.ts";

/** A provider as a request describes it. */
export type ProviderInput = {
  name: string;
  settings: ProviderSettings;
  options: IdpOptions;
  /** Empty, of a provider that exists: stays as it is. */
  secret: string;
};

/**
 * Adds a provider to the instance or to an organization, active at once.
 * @throws DomainError `auth.permission_denied`, `idp.name_empty`, `idp.address_invalid`, `idp.apple_key_invalid`,
 *   `organization.not_found`
 */
export async function addProvider(
  dependencies: IdpDependencies,
  caller: Caller,
  owner: Scope,
  input: ProviderInput,
): Promise<{ id: string; details: Details }> {
  demandWrite(caller, owner);
  await checkInput(dependencies, input);
  const { name, settings, secret, options } = input;
  const id = uuidV7();
  const added: IdentityProviderEvent = {
    type: "idp.added",
    payload: {
      ...(owner === INSTANCE ? {} : { organizationId: owner }),
      type: settings.type,
      name: name.trim(),
      config: configOf(settings),
      secret: sealSecret(dependencies.encryptionKey, id, secret),
      options,
    },
  };
  const { events, organizations } = dependencies;
  const details = await events.decide(id, async () => {
    const guards =
      owner === INSTANCE ? [] : [await existingOrganization(organizations, owner, "organization.not_found")];
    return store(dependencies, caller, identityProviderAggregate.initialState(id), added, guards);
  });
  return { id, details };
}

/**
 * Replaces what differs; nothing differing, nothing is stored.
 * @throws DomainError as {@link addProvider}; `idp.not_found` also for a provider of another owner or type
 */
export async function updateProvider(
  dependencies: IdpDependencies,
  caller: Caller,
  owner: Scope,
  { id, ...input }: ProviderInput & { id: string },
): Promise<Details> {
  demandWrite(caller, owner);
  await checkInput(dependencies, input);
  return dependencies.events.decide(id, async () => {
    const provider = await existing(dependencies, owner, id);
    if (provider.type !== input.settings.type) throw new DomainError("idp.not_found");
    const { encryptionKey } = dependencies;
    const isKept = input.secret === "" || knowsSecret(encryptionKey, provider, input.secret);
    const payload = differing(
      provider,
      input,
      isKept ? undefined : sealSecret(encryptionKey, id, input.secret),
    );
    return store(dependencies, caller, provider, payload && { type: "idp.changed", payload });
  });
}

/**
 * Removes a provider: nobody can sign in with it any more, intents under way included. Links to it remain, and prove
 * nothing.
 * @throws DomainError `auth.permission_denied`, `idp.not_found`
 */
export async function removeProvider(
  dependencies: IdpDependencies,
  caller: Caller,
  owner: Scope,
  id: string,
): Promise<Details> {
  demandWrite(caller, owner);
  return dependencies.events.decide(id, async () => {
    const provider = await existing(dependencies, owner, id);
    return store(dependencies, caller, provider, { type: "idp.removed", payload: {} });
  });
}

/** A provider goes with its organization. */
export function removedWithOrganization(provider: IdentityProviderState, actorId: string): Change {
  return change(identityProviderAggregate, provider, [{ type: "idp.removed", payload: {} }], actorId);
}

function demandWrite(caller: Caller, owner: Scope): void {
  demand(caller, owner === INSTANCE ? "iam.idp.write" : "org.idp.write", owner);
}

async function checkInput(
  { providers }: Pick<IdpDependencies, "providers">,
  { name, settings, secret }: ProviderInput,
): Promise<void> {
  if (name.trim() === "") throw new DomainError("idp.name_empty");
  if (!typedAddresses(settings).every((address) => providers.allows(address))) {
    throw new DomainError("idp.address_invalid");
  }
  if (settings.type === "apple" && secret !== "" && !(await isAppleKey(secret))) {
    throw new DomainError("idp.apple_key_invalid");
  }
}

async function existing(
  { identityProviders }: Pick<IdpDependencies, "identityProviders">,
  owner: Scope,
  id: string,
): Promise<IdentityProviderState> {
  const provider = await identityProviders.find(id);
  const organizationId = owner === INSTANCE ? null : owner;
  if (provider === undefined || provider.status === "removed" || provider.organizationId !== organizationId) {
    throw new DomainError("idp.not_found");
  }
  return provider;
}

function differing(
  provider: IdentityProviderState,
  { name, settings, options }: ProviderInput,
  secret: string | undefined,
): Extract<IdentityProviderEvent, { type: "idp.changed" }>["payload"] | undefined {
  const config = configOf(settings);
  const payload = {
    ...(name.trim() === provider.name ? {} : { name: name.trim() }),
    ...(isDeepStrictEqual(config, provider.config) ? {} : { config }),
    ...(isDeepStrictEqual(options, provider.options) ? {} : { options }),
    ...(secret === undefined ? {} : { secret }),
  };
  return Object.keys(payload).length === 0 ? undefined : payload;
}

async function store(
  { events, instanceId }: Pick<IdpDependencies, "events" | "instanceId">,
  caller: Caller,
  provider: IdentityProviderState,
  event: IdentityProviderEvent | undefined,
  guards: readonly Change[] = [],
): Promise<Details> {
  if (event === undefined) return detailsOf(provider, provider.organizationId ?? instanceId);
  const changed = change(identityProviderAggregate, provider, [event], caller.userId);
  const appendedAt = await events.append([changed, ...guards]);
  return detailsOf(changed.state, changed.state.organizationId ?? instanceId, appendedAt);
}
