import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import { AccessTokens, callerOfAccessToken, isAccessToken } from "./auth/access-token.ts";
import type { Caller } from "./auth/caller.ts";
import {
  callerOfToken,
  newPersonalAccessToken,
  personalAccessTokenDigest,
} from "./auth/personal-access-token.ts";
import type { Config } from "./config.ts";
import { deriveKey } from "./crypto/encryption.ts";
import { createPasswordHasher } from "./crypto/password-hasher.ts";
import { ensureInstance } from "./first-start.ts";
import { finishIntent } from "./idp/finish-intent.ts";
import { IntentTokens } from "./idp/intent-token.ts";
import { ProviderClient } from "./idp/protocol/provider-client.ts";
import { composeDelivery, type DeliveryOptions } from "./message-delivery.ts";
import { Metrics } from "./metrics.ts";
import type { DeliveryWorker } from "./notification/delivery-worker.ts";
import type { OrganizationDependencies } from "./organization/dependencies.ts";
import { projections } from "./projections/projections.ts";
import { uniqueConstraints } from "./projections/unique-constraints.ts";
import { callerOfSession } from "./session/session-credential.ts";
import { isSessionToken, SessionTokens } from "./session/session-token.ts";
import { AdministratorRepository } from "./storage/administrator-repository.ts";
import { CallerRepository } from "./storage/caller-repository.ts";
import type { DataDirectory } from "./storage/data-directory.ts";
import type { OpenDatabase } from "./storage/database.ts";
import { EventRepository } from "./storage/event-repository.ts";
import { IdentityProviderRepository } from "./storage/identity-provider-repository.ts";
import { MachineKeyRepository } from "./storage/machine-key-repository.ts";
import { OrganizationRepository } from "./storage/organization-repository.ts";
import { PersonalAccessTokenRepository } from "./storage/personal-access-token-repository.ts";
import { SessionRepository } from "./storage/session-repository.ts";
import { UserRepository } from "./storage/user-repository.ts";
import { masterKeyOf, migrateAtLeisure, type OpenedStore, openDatabase, type Progress } from "./store.ts";
import { type ConnectHandler, createConnectHandler } from "./transport/connect-handler.ts";
import { createCors } from "./transport/cors.ts";
import { toConnectError } from "./transport/error-mapping.ts";
import { Serving } from "./transport/health-service.ts";
import { createHttpHandler } from "./transport/http-handler.ts";
import { IDP_CALLBACK_PATH, idpCallback } from "./transport/idp-callback.ts";
import { accessLog } from "./transport/interceptors/access-log.ts";
import { authenticate } from "./transport/interceptors/authenticate.ts";
import { authorize } from "./transport/interceptors/authorize.ts";
import { mapErrors } from "./transport/interceptors/map-errors.ts";
import { validate } from "./transport/interceptors/validate.ts";
import { listen } from "./transport/listener.ts";
import { registerServices, type ServiceDependencies } from "./transport/services.ts";
import { createTokenEndpoint, TOKEN_PATH } from "./transport/token-endpoint.ts";
import type { UserDependencies } from "./user/dependencies.ts";
import { draftHuman, type NewHuman } from "./user/prepare-user.ts";
import type { Delay } from "./user/tarpit.ts";

export type RunningServer = {
  /** Where clients reach it on this machine, `http://127.0.0.1:8080`. */
  url: string;
  /** For people: which engine, and where; never a password. */
  database: string;
  /** The first administrator's token: the file it is kept in if it was made here, and itself right after. */
  adminToken?: { file?: string; shownOnce?: string };
  logger: Logger;
  /** Answers what was accepted, then closes the database. */
  close(): Promise<void>;
};

export type ServerOptions = {
  onProgress?: Progress;
  /** Where log lines go; standard output by default. */
  logger?: Logger;
  /** The application's clock. */
  clock?: () => Date;
  /** Holds answers to wrong guesses back. */
  delay?: Delay;
  delivery?: DeliveryOptions;
};

/** What a request asks of the database takes milliseconds; after this long the database is as good as gone. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Opens the database, brings it up to date and serves.
 * @throws ConfigError, DomainError `storage.unavailable`, `storage.locked`, `storage.newer_schema`; EADDRINUSE
 */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const { onProgress, clock = () => new Date(), delay = wait } = options;
  const logger = options.logger ?? createLogger(config);
  const opened = await openDatabase(config, { onProgress, answerTimeoutMs: ANSWER_TIMEOUT_MS });
  try {
    await migrateAtLeisure(config, opened, onProgress);
    const masterKey = await masterKeyOf(config, opened.directory);
    const address: Address = { url: config.publicUrl };
    const outfit = { clock, delay, address, logger, delivery: options.delivery };
    const house = compose(config, opened, masterKey, outfit);
    let made: string | undefined;
    const makeToken = () => {
      made = newPersonalAccessToken();
      return made;
    };
    const { instance, created } = await ensureInstance(house.events, house.organizations, {
      adminToken: async () => config.adminToken ?? opened.directory.adminToken(makeToken),
      keyCheck: Buffer.from(deriveKey(masterKey, "key check")).toString("base64url"),
      domain: domainOf(config),
      onProgress,
    });
    const kept = await validAdminToken(house.callers, opened.directory);
    // Another node made the instance meanwhile: the token made here opens nothing.
    if (made !== undefined && kept === undefined) await opened.directory.removeAdminToken();
    const server = await serve(config, house.services(instance.id), house, opened, logger, address);
    if (kept === undefined) return server;
    const file = opened.directory.adminTokenPath;
    const isNew = created && config.adminToken === undefined;
    return { ...server, adminToken: isNew ? { file, shownOnce: kept } : { file } };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The token kept in the data directory, if it is one of this database: the directory may have served another. */
async function validAdminToken(
  callers: CallerRepository,
  directory: DataDirectory,
): Promise<string | undefined> {
  const token = await directory.keptAdminToken();
  return token && (await callers.tokenOwner(personalAccessTokenDigest(token))) ? token : undefined;
}

function compose(
  config: Config,
  { db, engine }: OpenDatabase,
  masterKey: Uint8Array,
  { clock, delay, address, logger, delivery }: Outfit,
) {
  // PGlite has one connection: a second lane would only wait for the first.
  const lanes = engine === "pglite" ? 1 : 2;
  const events: EventRepository = new EventRepository(db, projections, {
    lanes,
    uniqueSlugs: uniqueConstraints,
    // What happens to a message later is the worker's own doing.
    onAppended: { notification: ({ expectedSequence }) => expectedSequence === 0 && worker.wake() },
  });
  const sessions = new SessionRepository(db, { lanes });
  const users = new UserRepository(db, { lanes });
  const callers = new CallerRepository(db, { lanes });
  const organizations = new OrganizationRepository(db);
  const encryptionKey = deriveKey(masterKey, "stored secrets");
  const metrics = new Metrics();
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
    passwords: createPasswordHasher(),
    notifications,
    encryptionKey,
    recoveryCodeKey: deriveKey(masterKey, "recovery code"),
    clock,
    delay,
  };
  const userDependencies: UserDependencies = {
    ...shared,
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
    draftHuman: (human) => draftHuman(userDependencies, human),
  };
  const services = (instanceId: string): ServiceDependencies => ({
    sessions: {
      ...shared,
      sessions,
      codeGenerators,
      tokens: new SessionTokens(deriveKey(masterKey, "session token")),
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
  return { events, callers, organizations, services, worker, metrics };
}

/** What the server brings along that is not in its configuration. */
type Outfit = {
  clock: () => Date;
  delay: Delay;
  address: Address;
  logger: Logger;
  delivery: DeliveryOptions | undefined;
};

/** What browsers reach the server by; where nothing is configured, known once it listens. */
type Address = { url: string | undefined };

/** Host part of every organization's own domain. */
function domainOf({ publicUrl }: Config): string {
  return publicUrl ? new URL(publicUrl).hostname : "localhost";
}

async function serve(
  config: Config,
  dependencies: ServiceDependencies,
  { callers, worker, metrics }: { callers: CallerRepository; worker: DeliveryWorker; metrics: Metrics },
  { db, description, close }: OpenedStore,
  logger: Logger,
  address: Address,
): Promise<RunningServer> {
  const serving = new Serving();
  const { accessTokens, clock } = dependencies.users;
  const callerOf = (credential: string): Promise<Caller> => {
    if (isSessionToken(credential)) return callerOfSession({ ...dependencies.sessions, callers }, credential);
    if (isAccessToken(credential)) return callerOfAccessToken({ callers, accessTokens }, credential, clock());
    return callerOfToken(callers, credential);
  };
  const connect: ConnectHandler = createConnectHandler({
    routes: (router) => registerServices(router, dependencies, serving, () => connect.services),
    interceptors: [
      accessLog(logger),
      mapErrors({ toConnectError, logger }),
      authenticate({ callerOf, organizationExists: (id) => callers.organizationExists(id) }),
      authorize(),
      validate(),
    ],
    maxBodyBytes: config.maxBodyBytes,
  });
  const ready = async () => {
    await db.selectNoFrom((eb) => eb.lit(1).as("one")).execute();
  };
  const handler = createHttpHandler({
    connect,
    cors: createCors({ origins: config.corsOrigins === "*" ? ["*"] : config.corsOrigins }),
    health: { serving: () => serving.serving, ready, metrics: () => metrics.text() },
    logger,
    maxBodyBytes: config.maxBodyBytes,
    endpoints: {
      [TOKEN_PATH]: createTokenEndpoint({ grants: dependencies.users, publicUrl: config.publicUrl, logger }),
      [IDP_CALLBACK_PATH]: idpCallback((parameters) => finishIntent(dependencies.idps, parameters), logger),
    },
  });
  const tls =
    config.tlsCertFile && config.tlsKeyFile
      ? { cert: readFileSync(config.tlsCertFile), key: readFileSync(config.tlsKeyFile) }
      : undefined;
  const { host, port } = config.listen;
  const listener = await listen({ host, port, handler, logger, ...(tls ? { tls } : {}) });
  const shown = host === undefined ? "localhost" : host.includes(":") ? `[${host}]` : host;
  const url = `${tls ? "https" : "http"}://${shown}:${listener.port}`;
  address.url ??= url;
  const stopWatching = watchDatabase(ready, serving);
  worker.start();
  return {
    url,
    database: description,
    logger,
    close: async () => {
      stopWatching();
      serving.stop();
      const deadline = performance.now() + config.shutdownGraceSeconds * 1_000;
      await listener.close(config.shutdownGraceSeconds * 1_000);
      await worker.stop(Math.max(0, deadline - performance.now()));
      await close();
    },
  };
}

/** Has the health service tell whether the database answers, a second late at most. @returns what ends the watch */
function watchDatabase(ready: () => Promise<void>, serving: Serving): () => void {
  let asking = false;
  const timer = setInterval(async () => {
    if (asking) return;
    asking = true;
    serving.set(
      await ready().then(
        () => true,
        () => false,
      ),
    );
    asking = false;
  }, 1_000);
  return () => clearInterval(timer);
}

function createLogger(config: Config): Logger {
  const level = config.logLevel;
  return config.logFormat === "pretty" ? pino({ level }, pretty({ sync: true })) : pino({ level });
}
