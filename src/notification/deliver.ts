import { type Delivery, refused } from "../notify/delivery.ts";
import type { FetchedTokens } from "../notify/fetched-tokens.ts";
import type { Message } from "../notify/message.ts";
import { sendMail } from "../notify/smtp.ts";
import { sendByTwilio } from "../notify/twilio.ts";
import { type StartedVerification, startVerification } from "../notify/twilio-verify.ts";
import { sendToWebhook } from "../notify/webhook.ts";
import type { GeneratedCode } from "./notifications.ts";
import type { Provider } from "./providers.ts";

export type Carriers = {
  fetchedTokens: FetchedTokens;
  /** Where Twilio is, Verify too; its own address by default. */
  twilioUrl?: string | undefined;
};

/** Hands a message to a provider. */
export function deliver(
  provider: Provider,
  message: Message,
  { fetchedTokens, twilioUrl }: Carriers,
): Promise<Delivery> {
  switch (provider.type) {
    case "smtp":
      return sendMail(provider.smtp, message, fetchedTokens);
    case "http":
      return sendToWebhook(provider.webhook, message);
    case "twilio": {
      const { recipient, content } = message;
      if (provider.twilio.senderNumber === "") return Promise.resolve(noSender);
      return sendByTwilio(provider.twilio, { recipient, text: content.text }, { baseUrl: twilioUrl });
    }
  }
}

/** A code that was made here goes as a text of ours or not at all: a Verify service sends its own. */
const noSender = refused("the provider has no number to send texts from");

/** What became of an attempt to have a provider make and send a code; `pointless`: nobody can any more. */
export type Generation = StartedVerification | { outcome: "pointless"; reason: string };

/** Has the provider send a code of its own, unless another one sends by now: whoever made a code must check it. */
export async function generate(
  provider: Provider | undefined,
  recipient: string,
  { generatorId }: GeneratedCode,
  { twilioUrl }: Pick<Carriers, "twilioUrl">,
): Promise<Generation> {
  if (provider?.type !== "twilio" || provider.id !== generatorId) {
    return { outcome: "pointless", reason: "its provider is no longer active" };
  }
  return startVerification(provider.twilio, recipient, { baseUrl: twilioUrl });
}
