import { pino } from "pino";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { sealText } from "../../src/crypto/sealed-text.ts";
import { Metrics } from "../../src/metrics.ts";
import { type DeliveryTiming, DeliveryWorker } from "../../src/notification/delivery-worker.ts";
import { Notifications } from "../../src/notification/notifications.ts";
import { type FallbackProviders, Providers } from "../../src/notification/providers.ts";
import { FetchedTokens } from "../../src/notify/fetched-tokens.ts";
import { projections } from "../../src/projections/projections.ts";
import { sessionCodes } from "../../src/session/session-codes.ts";
import { change } from "../../src/storage/aggregate.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { NotificationRepository } from "../../src/storage/notification-repository.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { NotificationRow } from "../../src/storage/tables.ts";
import { UserRepository } from "../../src/storage/user-repository.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { userCodes } from "../../src/user/user-codes.ts";
import { until } from "../crash/poll.ts";
import { createTestDatabase, type Engine } from "../support/databases.ts";
import { expectRowsToMatchTheLog } from "../support/test-server.ts";

export type LogLine = { msg: string; level: number } & Record<string, unknown>;

/** What stores messages and what sends them, on a database of their own, without a server around them. */
export type PostRoom = {
  events: EventRepository;
  users: UserRepository;
  repository: NotificationRepository;
  /** Everything that was logged. */
  lines: LogLine[];
  metrics: Metrics;
  /** The application's clock; the hands may be moved. */
  clock: { ahead: number };
  /** A person with an address; codes go there. */
  person(name: string): Promise<string>;
  /** Has a person asked for a new password: a code, and the message that brings it, in one append. */
  reset(
    userId: string,
    options?: { code?: string; lifetimeMs?: number; channel?: "email" | "sms" },
  ): Promise<string>;
  /** Something else that happens to a person. */
  happens(userId: string, ...events: UserEvent[]): Promise<void>;
  /** Somebody who sends; not started yet, and not woken by what is stored. */
  worker(timing?: Partial<DeliveryTiming>, options?: { alone?: boolean }): DeliveryWorker;
  /** The one and only message to this address, once it is no longer pending. */
  settled(notificationId: string): Promise<NotificationRow>;
  /** Types of a message's events, without their prefix. */
  history(notificationId: string): Promise<string[]>;
  userHistory(userId: string): Promise<string[]>;
  close(): Promise<void>;
};

const encryptionKey = new Uint8Array(32).fill(7);

/** Nobody wants to wait: what failed is tried again at once, and looked for often. */
const hurried: Partial<DeliveryTiming> = { retryAfterMs: () => 1, pollMs: { least: 1, most: 5 } };

export async function openPostRoom(engine: Engine, fallbacks: FallbackProviders): Promise<PostRoom> {
  const database = await createTestDatabase(engine);
  const { db, close } = await database.open();
  const events = new EventRepository(db, projections);
  const [users, sessions] = [new UserRepository(db), new SessionRepository(db)];
  const organizations = new OrganizationRepository(db);
  const repository = new NotificationRepository(db);
  const clock = { ahead: 0 };
  const now = () => new Date(Date.now() + clock.ahead);
  const providers = new Providers({ organizations, encryptionKey, fallbacks });
  const notifications = new Notifications({ providers, encryptionKey, clock: now });
  const lines: LogLine[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = new Metrics();
  const outcomes = metrics.counter("outcomes_total", "What became of attempts.");
  const workers: DeliveryWorker[] = [];

  const happens = (userId: string, ...history: UserEvent[]) =>
    events.decide(userId, async () => {
      const user = (await users.find(userId)) ?? initialUser(userId);
      await events.append([change(userAggregate, user, history, "somebody")]);
    });
  const names = async (type: "notification" | "user", id: string) =>
    (await events.readStream(type, id)).map((event) => event.type.replace(`${type}.`, ""));

  return {
    events,
    users,
    repository,
    lines,
    metrics,
    clock,
    happens,
    async person(name) {
      const userId = `${name}-${uuidV7()}`;
      const payload = {
        organizationId: "home",
        userName: userId,
        firstName: name,
        lastName: "Example",
        displayName: `${name} Example`,
        email: `${userId}@example.org`,
      };
      await happens(userId, { type: "user.human.added", payload });
      return userId;
    },
    async reset(userId, { code = "K7Q2ZD", lifetimeMs = 3_600_000, channel = "email" } = {}) {
      const user = (await users.find(userId))!;
      const expiresAt = new Date(now().getTime() + lifetimeMs);
      const sealed = sealText(encryptionKey, code, `user/${userId}/password_code`);
      const payload = { code: sealed, expiresAt: expiresAt.toISOString() };
      const added = { type: "user.human.password.code.added" as const, payload };
      const message = {
        kind: "PasswordReset" as const,
        channel,
        about: { type: "user" as const, id: userId, part: "password_code" as const },
        recipient: channel === "email" ? user.email! : "+41791234567",
        code,
        expiresAt,
        urlTemplate: "https://app.example/{{.UserID}}?c={{.Code}}",
        variables: { UserID: userId, OrgID: "home", DisplayName: user.displayName! },
      };
      const changes = await notifications.prepare(message, "somebody");
      await events.append([change(userAggregate, user, [added], "somebody"), ...changes]);
      return changes[0]?.id ?? "";
    },
    worker(timing = {}, { alone = false } = {}) {
      const worker = new DeliveryWorker(
        {
          events,
          notifications: repository,
          providers,
          holders: { session: sessionCodes({ sessions }), user: userCodes({ users }) },
          encryptionKey,
          clock: now,
          sender: () => ({ domain: "auth.example.com", origin: "https://auth.example.com" }),
          carriers: { fetchedTokens: new FetchedTokens() },
          logger,
          outcomes,
        },
        { alone, timing: { ...hurried, ...timing } },
      );
      workers.push(worker);
      return worker;
    },
    settled: (id) =>
      until(`message ${id} to be settled`, async () => {
        const row = await repository.find(id);
        return row?.status === "pending" ? undefined : row;
      }),
    history: (id) => names("notification", id),
    userHistory: (id) => names("user", id),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)));
      await close();
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  };
}
