import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import { CodeGenerators } from "./notification/code-generators.ts";
import { type DeliveryTiming, DeliveryWorker } from "./notification/delivery-worker.ts";
import { Notifications } from "./notification/notifications.ts";
import { type FallbackProviders, Providers } from "./notification/providers.ts";
import { FetchedTokens } from "./notify/fetched-tokens.ts";
import { readSender, readSmtpUrl } from "./notify/smtp-url.ts";
import { sessionCodes } from "./session/session-codes.ts";
import type { OpenDatabase } from "./storage/database.ts";
import type { EventRepository } from "./storage/event-repository.ts";
import { NotificationRepository } from "./storage/notification-repository.ts";
import type { OrganizationRepository } from "./storage/organization-repository.ts";
import type { SessionRepository } from "./storage/session-repository.ts";
import type { UserRepository } from "./storage/user-repository.ts";
import { userCodes } from "./user/user-codes.ts";

/** How messages are sent; what is left out is as in production. */
export type DeliveryOptions = {
  timing?: Partial<DeliveryTiming>;
  /** Where Twilio's APIs are. */
  twilioUrl?: string;
};

type Parts = {
  database: Pick<OpenDatabase, "db" | "engine">;
  events: EventRepository;
  organizations: OrganizationRepository;
  sessions: SessionRepository;
  users: UserRepository;
  encryptionKey: Uint8Array;
  clock: () => Date;
  logger: Logger;
  metrics: Metrics;
  /** Who writes. `origin` is known once the server listens. */
  sender: () => { domain: string; origin: string };
};

/** Puts together what stores messages and what sends them. */
export function composeDelivery(
  config: Config,
  { database: { db, engine }, metrics, ...parts }: Parts,
  { timing, twilioUrl }: DeliveryOptions = {},
): { notifications: Notifications; codeGenerators: CodeGenerators; worker: DeliveryWorker } {
  const { organizations, encryptionKey, clock, sessions, users } = parts;
  const providers = new Providers({ organizations, encryptionKey, fallbacks: fallbacksOf(config) });
  const notifications = new NotificationRepository(db);
  metrics.gauge("gatehouse_notifications_pending", "Messages that are still to be sent.", async () =>
    (await notifications.pending()).map(({ channel, count }) => ({ labels: { channel }, value: count })),
  );
  const worker = new DeliveryWorker(
    {
      ...parts,
      notifications,
      providers,
      holders: { session: sessionCodes({ sessions }), user: userCodes({ users }) },
      carriers: { fetchedTokens: new FetchedTokens(), twilioUrl },
      outcomes: metrics.counter(
        "gatehouse_notifications_total",
        "What became of attempts to send a message: sent, deferred, failed or dropped.",
      ),
    },
    // The embedded database has one server; what another one left behind is from its earlier life.
    { alone: engine === "pglite", ...(timing ? { timing } : {}) },
  );
  return {
    notifications: new Notifications({ providers, encryptionKey, clock }),
    codeGenerators: new CodeGenerators({ providers, logger: parts.logger, baseUrl: twilioUrl }),
    worker,
  };
}

function fallbacksOf({ smtpUrl, smtpFrom, smsWebhookUrl, smsWebhookSigningKey }: Config): FallbackProviders {
  return {
    ...(smtpUrl !== undefined && smtpFrom !== undefined
      ? { email: { type: "smtp", smtp: { ...readSmtpUrl(smtpUrl)!, ...readSender(smtpFrom)! } } }
      : {}),
    ...(smsWebhookUrl !== undefined && smsWebhookSigningKey !== undefined
      ? {
          sms: {
            type: "http",
            webhook: {
              id: "environment",
              description: "",
              endpoint: smsWebhookUrl,
              signingKey: smsWebhookSigningKey,
            },
          },
        }
      : {}),
  };
}
