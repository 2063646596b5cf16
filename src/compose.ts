import type { Logger } from "pino";
import { AccessTokens } from "./auth/access-token.ts";
import type { Config } from "./config.ts";
import { deriveKey } from "./crypto/encryption.ts";
import { createPasswordHasher } from "./crypto/password-hasher.ts";
import { removedWithOrganization as providerRemovedWithOrganization } from "./idp/change-providers.ts";
import { IntentTokens } from "./idp/intent-token.ts";
import { ProviderClient } from "./idp/protocol/provider-client.ts";
import { composeDelivery, type DeliveryOptions } from "./message-delivery.ts";
import type { Metrics } from "./metrics.ts";
import type { OrganizationDependencies } from "./organization/dependencies.ts";
import { projections } from "./projections/projections.ts";
import { uniqueConstraints } from "./projections/unique-constraints.ts";
import { ownSession } from "./session/keep-session.ts";
import { SessionTokens } from "./session/session-token.ts";
import { SessionUses } from "./session/session-uses.ts";
import { AdministratorRepository } from "./storage/administrator-repository.ts";
import { CallerRepository } from "./storage/caller-repository.ts";
import type { OpenDatabase } from "./storage/database.ts";
import { EventRepository } from "./storage/event-repository.ts";
import { IdentityProviderRepository } from "./storage/identity-provider-repository.ts";
import { MachineKeyRepository } from "./storage/machine-key-repository.ts";
import { OrganizationRepository } from "./storage/organization-repository.ts";
import { PersonalAccessTokenRepository } from "./storage/personal-access-token-repository.ts";
import { SessionRepository } from "./storage/session-repository.ts";
import { upkeepStores } from "./storage/upkeep-stores.ts";
import { UserRepository } from "./storage/user-repository.ts";
import { IDP_CALLBACK_PATH } from "./transport/idp-callback.ts";
import type { ServiceDependencies } from "./transport/services.ts";
import { composeUpkeep, type Upkeep } from "./upkeep/compose-upkeep.ts";
import { removedWithOrganization } from "./user/delete-user.ts";
import type { UserDependencies } from "./user/dependencies.ts";
import { draftHuman, type NewHuman } from "./user/prepare-user.ts";
import type { Delay } from "./user/tarpit.ts";

/**
 * Puts the rooms together on an open database: what each is handed, and nothing else.
 * @param masterKey 32 bytes; every room that keeps secrets gets a key of its own made of it
 */
export function compose(
  config: Config,
  { db, engine }: OpenDatabase,
  masterKey: Uint8Array,
  { clock, delay, address, logger, metrics, delivery }: Outfit,
) {
  // PGlite has one connection: a second lane would only wait for the first.
  const lanes = engine === "pglite" ? 1 : 2;
  const events: EventRepository = new EventRepository(db, projections, {
    // One more than reads have: a write may wait for a lock.
    lanes: engine === "pglite" ? 1 : 3,
    uniqueSlugs: uniqueConstraints,
    // What happens to a message later is the worker's own doing.
    onAppended: {
      notification: ({ expectedSequence }) => expectedSequence === 0 && worker.wake(),
      user: (change) => upkeep.heard(change),
    },
  });
  const sessions = new SessionRepository(db, { lanes });
  const users = new UserRepository(db, { lanes });
  const callers = new CallerRepository(db, { lanes });
  const organizations = new OrganizationRepository(db);
  const encryptionKey = deriveKey(masterKey, "stored secrets");
  const upkeep: Upkeep = composeUpkeep({
    events,
    organizations,
    stores: upkeepStores(db),
    engine,
    logger,
    metrics,
  });
  const { notifications, codeGenerators, worker } = composeDelivery(
    config,
    {
      database: { db, engine },
      events,
      organizations,
      sessions,
      users,
      encryptionKey,
      clock,
      logger,
      metrics,
      sender: () => ({ domain: domainOf(config), origin: address.url ?? "" }),
    },
    delivery,
  );
  const shared = {
    events,
    users,
    organizations,
    identityProviders: new IdentityProviderRepository(db),
    intentTokens: new IntentTokens(deriveKey(masterKey, "intent token")),
    passwords: createPasswordHasher({ processes: config.workers, rehash: config.passwordRehash }),
    notifications,
    encryptionKey,
    recoveryCodeKey: deriveKey(masterKey, "recovery code"),
    clock,
    delay,
  };
  const userDependencies: UserDependencies = {
    ...shared,
    ownSession: (caller, userId) => ownSession({ sessions }, caller, userId),
    issuerName: config.issuerName,
    publicHost: config.publicUrl && new URL(config.publicUrl).hostname,
    personalAccessTokens: new PersonalAccessTokenRepository(db),
    machineKeys: new MachineKeyRepository(db),
    accessTokens: new AccessTokens(deriveKey(masterKey, "access token")),
  };
  const organizationDependencies: OrganizationDependencies<NewHuman> = {
    ...shared,
    administrators: new AdministratorRepository(db),
    domain: domainOf(config),
    removals: { user: removedWithOrganization, provider: providerRemovedWithOrganization },
    draftHuman: (human) => draftHuman(userDependencies, human),
  };
  const services = (instanceId: string): ServiceDependencies => ({
    sessions: {
      ...shared,
      sessions,
      codeGenerators,
      tokens: new SessionTokens(deriveKey(masterKey, "session token")),
      uses: new SessionUses({ events, sessions }),
      writeEndings: upkeep.writeEndings,
      instanceId,
      webAuthNCloneWarning: config.webauthnCloneWarning,
      setSessionProof: config.setSessionProof,
    },
    users: userDependencies,
    organizations: organizationDependencies,
    idps: {
      ...shared,
      providers: new ProviderClient({ allowInsecure: config.insecureIdps, clock }),
      callbackUrl: () => `${address.url}${IDP_CALLBACK_PATH}`,
      instanceId,
    },
  });
  return { events, callers, organizations, services, worker, upkeep: upkeep.worker };
}

/** What the server brings along that is not in its configuration. */
export type Outfit = {
  clock: () => Date;
  delay: Delay;
  address: Address;
  logger: Logger;
  metrics: Metrics;
  delivery: DeliveryOptions | undefined;
};

/** What browsers reach the server by; where nothing is configured, known once it listens. */
export type Address = { url: string | undefined };

/** Host part of every organization's own domain. */
export function domainOf({ publicUrl }: Config): string {
  return publicUrl ? new URL(publicUrl).hostname : "localhost";
}

export type House = ReturnType<typeof compose>;
