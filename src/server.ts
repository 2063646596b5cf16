import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { callerOfAccessToken, isAccessToken } from "./auth/access-token.ts";
import type { Caller } from "./auth/caller.ts";
import {
  callerOfToken,
  newPersonalAccessToken,
  personalAccessTokenDigest,
} from "./auth/personal-access-token.ts";
import { type Address, compose, domainOf, type House, type Outfit } from "./compose.ts";
import type { Config } from "./config.ts";
import { deriveKey } from "./crypto/encryption.ts";
import { ensureInstance } from "./first-start.ts";
import { finishIntent } from "./idp/finish-intent.ts";
import { createLogger } from "./log.ts";
import type { DeliveryOptions } from "./message-delivery.ts";
import { Metrics } from "./metrics.ts";
import { callerOfSession } from "./session/session-credential.ts";
import { isSessionToken } from "./session/session-token.ts";
import type { CallerRepository } from "./storage/caller-repository.ts";
import type { DataDirectory } from "./storage/data-directory.ts";
import { masterKeyOf, migrateAtLeisure, type OpenedStore, openDatabase, type Progress } from "./store.ts";
import { type ConnectHandler, createConnectHandler } from "./transport/connect-handler.ts";
import { createCors } from "./transport/cors.ts";
import { Serving } from "./transport/health-service.ts";
import { createHttpHandler } from "./transport/http-handler.ts";
import { IDP_CALLBACK_PATH, idpCallback } from "./transport/idp-callback.ts";
import { interceptorChain } from "./transport/interceptors/chain.ts";
import { listen, type SharedPort } from "./transport/listener.ts";
import { registerServices, type ServiceDependencies } from "./transport/services.ts";
import { createTokenEndpoint, TOKEN_PATH } from "./transport/token-endpoint.ts";
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
  /** Where it counts; by default in numbers of its own. */
  metrics?: Metrics;
  /** A port it shares with other processes, in the place of `config.listen`. */
  sharedPort?: SharedPort;
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
  const { logger = createLogger(config), metrics = new Metrics(), sharedPort } = options;
  const opened = await openDatabase(config, { onProgress, answerTimeoutMs: ANSWER_TIMEOUT_MS });
  try {
    await migrateAtLeisure(config, opened, onProgress);
    const masterKey = await masterKeyOf(config, opened.directory);
    const address: Address = { url: config.publicUrl };
    const outfit = { clock, delay, address, logger, metrics, delivery: options.delivery };
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
    const server = await serve(config, house.services(instance.id), house, opened, outfit, sharedPort);
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

async function serve(
  config: Config,
  dependencies: ServiceDependencies,
  { callers, worker, upkeep }: House,
  { db, description, close }: OpenedStore,
  { logger, metrics, address }: Outfit,
  sharedPort: SharedPort | undefined,
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
    interceptors: interceptorChain(
      logger,
      { callerOf, organizationExists: (id) => callers.organizationExists(id) },
      (id) => dependencies.sessions.sessions.find(id),
    ),
    maxBodyBytes: config.maxBodyBytes,
  });
  const ready = async () => {
    await db.selectNoFrom((eb) => eb.lit(1).as("one")).execute();
  };
  const handlers = createHttpHandler({
    connect,
    edge: config.edge,
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
  const listener = await listen({
    host,
    port,
    ...handlers,
    logger,
    ...(tls && { tls }),
    ...(sharedPort && { sharedPort }),
  });
  const shown = host === undefined ? "localhost" : host.includes(":") ? `[${host}]` : host;
  const url = `${tls ? "https" : "http"}://${shown}:${listener.port}`;
  address.url ??= url;
  const stopWatching = watchDatabase(ready, serving);
  worker.start();
  upkeep.start();
  return {
    url,
    database: description,
    logger,
    close: async () => {
      stopWatching();
      serving.stop();
      const deadline = performance.now() + config.shutdownGraceSeconds * 1_000;
      await listener.close(config.shutdownGraceSeconds * 1_000);
      await upkeep.stop();
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
