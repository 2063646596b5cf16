import type { Logger } from "pino";
import { openText } from "../crypto/sealed-text.ts";
import type { Counter } from "../metrics.ts";
import { type Delivery, postponed } from "../notify/delivery.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { ConflictError } from "../storage/database-errors.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { NotificationRepository } from "../storage/notification-repository.ts";
import { COURIER, type CodeHolders, holderOf, isSameCode } from "./code-holder.ts";
import { composeMessage, type Sender } from "./compose-message.ts";
import { type Carriers, deliver, type Generation, generate } from "./deliver.ts";
import type { NotificationEvent } from "./events.ts";
import { masked } from "./masked.ts";
import { type NotificationState, notificationAggregate } from "./notification.ts";
import {
  codeBinding,
  type GeneratedCode,
  type StoredCode,
  type StoredContent,
  subjectName,
} from "./notifications.ts";
import type { Provider, Providers } from "./providers.ts";

/** What sending takes. */
export type DeliveryDependencies = {
  events: EventRepository;
  notifications: NotificationRepository;
  providers: Providers;
  holders: CodeHolders;
  encryptionKey: Uint8Array;
  /** The application's clock, by which codes expire. */
  clock: () => Date;
  sender: () => Sender;
  carriers: Carriers;
  logger: Logger;
  /** Labels `kind`, `channel` and `outcome`. */
  outcomes: Counter;
};

export type AttemptTiming = {
  /** How long an attempt has the message to itself; then whoever tried counts as dead. */
  leaseMs: number;
  retryAfterMs(attempts: number): number;
};

/** The open code a message brings: in the clear, or made elsewhere; and as the aggregate stores it. */
type OpenCode = { code: string | GeneratedCode; stored: StoredCode };

/** What became of an attempt. */
type Attempted = Delivery | Generation;

/**
 * Tries to send one message that is due, once. Whoever appends `notification.attempted` first has it; of several
 * servers one does. A message that has become pointless is dropped instead.
 *
 * The other side may have taken a message although nobody lived to write that down: it is sent again then, with the
 * same id.
 */
export async function attemptDelivery(
  dependencies: DeliveryDependencies,
  due: NotificationState,
  { leaseMs, retryAfterMs }: AttemptTiming,
): Promise<void> {
  const open = await openCodeOf(dependencies, due);
  if ("pointless" in open) {
    const dropped = { type: "notification.dropped", payload: { reason: open.pointless } } as const;
    if (await appendFirst(dependencies, due, dropped)) report(dependencies, due, "dropped", open.pointless);
    return;
  }
  const claim = { type: "notification.attempted", payload: { retryAfterMs: leaseMs } } as const;
  const claimed = await appendFirst(dependencies, due, claim);
  if (!claimed) return;
  const startedAt = performance.now();
  const provider = await dependencies.providers.active(due.channel);
  const attempted = await carried(dependencies, claimed, provider, open.code);
  const outcome = outcomeOf(dependencies, claimed, attempted, retryAfterMs);
  const durationMs = Math.round(performance.now() - startedAt);
  const verificationId = "verificationId" in attempted ? attempted.verificationId : undefined;
  const recorded = await record(dependencies, claimed, outcome, open.stored, verificationId);
  const reason = "reason" in outcome.payload ? outcome.payload.reason : undefined;
  report(dependencies, claimed, recorded ? outcomeNames[outcome.type] : "superseded", reason, {
    provider: provider?.type,
    attempt: claimed.attempts,
    durationMs,
  });
}

const noProvider = postponed("no provider is active");

/** The code in the message, if it is still the one that is waited for, or why there is no point in sending it. */
async function openCodeOf(
  { holders, encryptionKey, clock }: DeliveryDependencies,
  { id, expiresAt, content }: NotificationState,
): Promise<OpenCode | { pointless: string }> {
  if (expiresAt !== null && expiresAt <= clock()) return { pointless: "expired" };
  const { about, code: carried } = content as unknown as StoredContent;
  const stored = await holderOf(holders, about).openCode(about);
  if (stored === undefined) return { pointless: "no longer waited for" };
  const replaced = { pointless: "replaced by a newer one" };
  if (typeof carried === "object") return isSameCode(stored, carried) ? { code: carried, stored } : replaced;
  if (typeof stored === "object") return replaced;
  const code = openText(encryptionKey, carried, codeBinding(id));
  return code === openText(encryptionKey, stored, subjectName(about)) ? { code, stored } : replaced;
}

/** Appends an event. @returns the state after it, or undefined if somebody else did something with the message first */
async function appendFirst(
  { events }: DeliveryDependencies,
  state: NotificationState,
  event: NotificationEvent,
): Promise<NotificationState | undefined> {
  const appended = change(notificationAggregate, state, [event], COURIER);
  try {
    await events.append([appended]);
    return appended.state;
  } catch (error) {
    if (error instanceof ConflictError) return undefined;
    throw error;
  }
}

async function carried(
  { sender, carriers, logger }: DeliveryDependencies,
  state: NotificationState,
  provider: Provider | undefined,
  code: string | GeneratedCode,
): Promise<Attempted> {
  try {
    if (typeof code === "object") return await generate(provider, state.recipient, code, carriers);
    if (provider === undefined) return noProvider;
    return await deliver(provider, composeMessage(state, code, sender()), carriers);
  } catch (error) {
    logger.error({ err: error, notificationId: state.id }, "notification fault");
    return postponed("internal error");
  }
}

type Outcome = Extract<
  NotificationEvent,
  {
    type: "notification.sent" | "notification.failed" | "notification.deferred" | "notification.dropped";
  }
>;

const outcomeNames = {
  "notification.sent": "sent",
  "notification.failed": "failed",
  "notification.deferred": "deferred",
  "notification.dropped": "dropped",
} as const satisfies Record<Outcome["type"], string>;

function outcomeOf(
  { clock }: DeliveryDependencies,
  { attempts, expiresAt }: NotificationState,
  attempted: Attempted,
  retryAfterMs: AttemptTiming["retryAfterMs"],
): Outcome {
  switch (attempted.outcome) {
    case "delivered":
      return { type: "notification.sent", payload: {} };
    case "refused":
      return { type: "notification.failed", payload: { reason: attempted.reason } };
    case "pointless":
      return { type: "notification.dropped", payload: { reason: attempted.reason } };
    case "postponed": {
      const { reason } = attempted;
      const waitMs = retryAfterMs(attempts);
      // When its turn comes the code will be worth nothing: that is known now.
      return expiresAt !== null && expiresAt.getTime() <= clock().getTime() + waitMs
        ? { type: "notification.dropped", payload: { reason: `expired: ${reason}` } }
        : { type: "notification.deferred", payload: { reason, retryAfterMs: waitMs } };
    }
  }
}

/**
 * Writes down what became of the attempt; what was sent, the session or the user hears in the same append.
 * @returns false if somebody else has taken over meanwhile
 */
async function record(
  { events, notifications, holders }: DeliveryDependencies,
  claimed: NotificationState,
  outcome: Outcome,
  code: StoredCode,
  verificationId: string | undefined,
): Promise<boolean> {
  const { about } = claimed.content as unknown as StoredContent;
  return events.decide(about.id, async () => {
    const current = await notifications.find(claimed.id);
    // The attempt took longer than its lease and somebody else took over: what is to be said, they say.
    if (current?.sequence !== claimed.sequence) return false;
    const told: Change[] =
      outcome.type === "notification.sent"
        ? await holderOf(holders, about).sent(about, code, verificationId)
        : [];
    await events.append([change(notificationAggregate, current, [outcome], COURIER), ...told]);
    return true;
  });
}

function report(
  { logger, outcomes }: DeliveryDependencies,
  { id, kind, channel, recipient }: NotificationState,
  outcome: (typeof outcomeNames)[Outcome["type"]] | "superseded",
  reason: string | undefined,
  more: object = {},
): void {
  outcomes.add({ kind, channel, outcome });
  const line = { notificationId: id, kind, channel, recipient: masked(recipient), outcome, reason, ...more };
  if (outcome === "sent") logger.info(line, "notification");
  else logger.warn(line, "notification");
}
