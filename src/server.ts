import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
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
import type { OrganizationDependencies } from "./organization/dependencies.ts";
import { Notifications } from "./notification/notifications.ts";
import { projections } from "./projections/projections.ts";
import { uniqueConstraints } from "./projections/unique-constraints.ts";
import { callerOfSession } from "./session/session-credential.ts";
import { isSessionToken, SessionTokens } from "./session/session-token.ts";
import { AdministratorRepository } from "./storage/administrator-repository.ts";
import { CallerRepository } from "./storage/caller-repository.ts";
import type { DataDirectory } from "./storage/data-directory.ts";
import type { OpenDatabase } from "./storage/database.ts";
import { EventRepository } from "./storage/event-repository.ts";
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
import { accessLog } from "./transport/interceptors/access-log.ts";
import { authenticate } from "./transport/interceptors/authenticate.ts";
import { mapErrors } from "./transport/interceptors/map-errors.ts";
import { validate } from "./transport/interceptors/validate.ts";
import { listen } from "./transport/listener.ts";
import { registerServices, type ServiceDependencies } from "./transport/services.ts";
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
    const house = compose(config, opened, masterKey, { clock, delay });
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
    const server = await serve(config, house.services(instance.id), house.callers, opened, logger);
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
  { clock, delay }: { clock: () => Date; delay: Delay },
) {
  // PGlite has one connection: a second lane would only wait for the first.
  const lanes = engine === "pglite" ? 1 : 2;
  const events = new EventRepository(db, projections, { lanes, uniqueSlugs: uniqueConstraints });
  const sessions = new SessionRepository(db, { lanes });
  const users = new UserRepository(db, { lanes });
  const callers = new CallerRepository(db, { lanes });
  const organizations = new OrganizationRepository(db);
  const encryptionKey = deriveKey(masterKey, "stored secrets");
  const shared = {
    events,
    users,
    organizations,
    passwords: createPasswordHasher(),
    notifications: new Notifications({ organizations, encryptionKey }),
    encryptionKey,
    clock,
    delay,
  };
  const userDependencies: UserDependencies = {
    ...shared,
    personalAccessTokens: new PersonalAccessTokenRepository(db),
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
      tokens: new SessionTokens(deriveKey(masterKey, "session token")),
      instanceId,
      setSessionProof: config.setSessionProof,
    },
    users: userDependencies,
    organizations: organizationDependencies,
  });
  return { events, callers, organizations, services };
}

/** Host part of every organization's own domain. */
function domainOf({ publicUrl }: Config): string {
  return publicUrl ? new URL(publicUrl).hostname : "localhost";
}

async function serve(
  config: Config,
  dependencies: ServiceDependencies,
  callers: CallerRepository,
  { db, description, close }: OpenedStore,
  logger: Logger,
): Promise<RunningServer> {
  const serving = new Serving();
  const callerOf = (credential: string): Promise<Caller> =>
    isSessionToken(credential)
      ? callerOfSession({ ...dependencies.sessions, callers }, credential)
      : callerOfToken(callers, credential);
  const connect: ConnectHandler = createConnectHandler({
    routes: (router) => registerServices(router, dependencies, serving, () => connect.services),
    interceptors: [
      accessLog(logger),
      mapErrors({ toConnectError, logger }),
      authenticate({ callerOf, organizationExists: (id) => callers.organizationExists(id) }),
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
    health: { serving: () => serving.serving, ready },
    logger,
    maxBodyBytes: config.maxBodyBytes,
  });
  const tls =
    config.tlsCertFile && config.tlsKeyFile
      ? { cert: readFileSync(config.tlsCertFile), key: readFileSync(config.tlsKeyFile) }
      : undefined;
  const { host, port } = config.listen;
  const listener = await listen({ host, port, handler, logger, ...(tls ? { tls } : {}) });
  const shown = host === undefined ? "localhost" : host.includes(":") ? `[${host}]` : host;
  const stopWatching = watchDatabase(ready, serving);
  return {
    url: `${tls ? "https" : "http"}://${shown}:${listener.port}`,
    database: description,
    logger,
    close: async () => {
      stopWatching();
      serving.stop();
      await listener.close(config.shutdownGraceSeconds * 1_000);
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
