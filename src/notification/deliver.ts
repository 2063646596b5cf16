import type { Delivery } from "../notify/delivery.ts";
import type { FetchedTokens } from "../notify/fetched-tokens.ts";
import type { Message } from "../notify/message.ts";
import { sendMail } from "../notify/smtp.ts";
import { sendByTwilio } from "../notify/twilio.ts";
import { sendToWebhook } from "../notify/webhook.ts";
import type { Provider } from "./providers.ts";

export type Carriers = {
  fetchedTokens: FetchedTokens;
  /** Where Twilio is; its own address by default. */
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
      return sendByTwilio(provider.twilio, { recipient, text: content.text }, { baseUrl: twilioUrl });
    }
  }
}
