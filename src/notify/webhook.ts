import { createHmac } from "node:crypto";
import { type Delivery, delivered, postponed, refused } from "./delivery.ts";
import { NoAnswer, post } from "./http-post.ts";
import type { Message } from "./message.ts";

/** Somebody else's service that turns our JSON into an SMS or a mail. */
export type WebhookProvider = {
  /** The receiver is told which of its configurations this is. */
  id: string;
  description: string;
  /** See {@link isWebhookEndpoint}. */
  endpoint: string;
  /** Proves to the receiver that it was us; its UTF-8 bytes are the HMAC key. */
  signingKey: string;
};

const TIMEOUT_MS = 10_000;

/** Whether a text can be a webhook's endpoint: http or https, no user name, no fragment. */
export function isWebhookEndpoint(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.hash === "";
}

/**
 * Hands a message to a webhook: JSON with `contextInfo`, `templateData` and `args`, signed in the header
 * `ZITADEL-Signature` (spec, user slice §19), and `Idempotency-Key` with the message's id.
 *
 * 2xx is delivered. Of the 4xx, 408 and 429 ask for patience; every other says that this request is wrong and stays so.
 */
export async function sendToWebhook(
  { id, description, endpoint, signingKey }: WebhookProvider,
  { channel, recipient, eventType, ...message }: Message,
  { now = new Date(), timeoutMs = TIMEOUT_MS }: { now?: Date; timeoutMs?: number } = {},
): Promise<Delivery> {
  const body = JSON.stringify({
    contextInfo: {
      eventType,
      provider: { id, description },
      ...(channel === "email" ? { recipientEmailAddress: recipient } : { recipientPhoneNumber: recipient }),
    },
    templateData: { ...message.content, url: message.url ?? "" },
    args: message.args,
  });
  const headers = {
    "content-type": "application/json",
    "idempotency-key": message.id,
    "zitadel-signature": signatureOf(signingKey, body, now),
  };
  try {
    return verdict((await post(endpoint, headers, body, timeoutMs)).status);
  } catch (error) {
    if (error instanceof NoAnswer) return postponed(error.message);
    throw error;
  }
}

/** `t=<unix seconds>,v1=<hex>`: HMAC-SHA-256 of `<unix seconds>.<body>`, so that neither can be exchanged alone. */
export function signatureOf(signingKey: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  const mac = createHmac("sha256", signingKey).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${mac}`;
}

function verdict(status: number): Delivery {
  if (status >= 200 && status < 300) return delivered;
  const isPermanent = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return isPermanent ? refused(`HTTP ${status}`) : postponed(`HTTP ${status}`);
}
