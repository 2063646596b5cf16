import { openText } from "../crypto/sealed-text.ts";
import type { Channel } from "../notify/message.ts";
import type { SmtpAuth, SmtpProvider } from "../notify/smtp.ts";
import type { TwilioProvider } from "../notify/twilio.ts";
import type { TwilioVerifyService } from "../notify/twilio-verify.ts";
import type { WebhookProvider } from "../notify/webhook.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { DeliveryProvider } from "../storage/tables.ts";

/** A way out of the house, with everything it takes to use it. */
export type Provider =
  | { type: "smtp"; smtp: SmtpProvider }
  | { type: "http"; webhook: WebhookProvider }
  | { type: "twilio"; id: string; twilio: StoredTwilio };

/** `verifyServiceSid`: the service that makes codes itself; empty without one. `senderNumber`: empty without any. */
export type StoredTwilio = TwilioProvider & TwilioVerifyService;

/** What the operator configured outside the database; a provider that was activated through the API comes first. */
export type FallbackProviders = { readonly [channel in Channel]?: Provider };

/** The secret half of a provider's configuration, encrypted as one text: passwords, tokens, signing keys. */
export type ProviderSecrets = Record<string, string>;

/** What a provider's secrets are bound to. */
export const secretsBinding = (providerId: string): string => `instance/provider/${providerId}`;

/** The providers that send now. Asked anew for each message: a change counts from its commit on, on every node. */
export class Providers {
  readonly #organizations: OrganizationRepository;
  readonly #encryptionKey: Uint8Array;
  readonly #fallbacks: FallbackProviders;

  constructor({
    organizations,
    encryptionKey,
    fallbacks = {},
  }: {
    organizations: OrganizationRepository;
    encryptionKey: Uint8Array;
    fallbacks?: FallbackProviders;
  }) {
    this.#organizations = organizations;
    this.#encryptionKey = encryptionKey;
    this.#fallbacks = fallbacks;
  }

  /** Whether anything could be sent this way. */
  async has(channel: Channel): Promise<boolean> {
    return this.#fallbacks[channel] !== undefined || (await this.#activated(channel)) !== undefined;
  }

  /** @throws DecryptionError if the secrets were stored under another key */
  async active(channel: Channel): Promise<Provider | undefined> {
    const stored = await this.#activated(channel);
    return stored ? this.#opened(stored) : this.#fallbacks[channel];
  }

  /** The id of the provider that sends text messages now, if it makes the codes in them itself. */
  async activeGenerator(): Promise<string | undefined> {
    const stored = await this.#activated("sms");
    return stored && makesCodes(stored) ? stored.id : undefined;
  }

  /**
   * A provider that makes codes itself, also one that was deactivated; undefined once it is removed.
   * @throws DecryptionError if the secrets were stored under another key
   */
  async generator(id: string): Promise<TwilioVerifyService | undefined> {
    const stored = (await this.#organizations.instance())?.smsProviders.find((each) => each.id === id);
    const provider = stored && makesCodes(stored) ? this.#opened(stored) : undefined;
    return provider?.type === "twilio" ? provider.twilio : undefined;
  }

  async #activated(channel: Channel): Promise<DeliveryProvider | undefined> {
    const instance = await this.#organizations.instance();
    const providers = channel === "email" ? instance?.emailProviders : instance?.smsProviders;
    return providers?.find(({ active }) => active);
  }

  #opened({ id, type, description, config, secrets }: DeliveryProvider): Provider {
    const opened: ProviderSecrets =
      secrets === null ? {} : JSON.parse(openText(this.#encryptionKey, secrets, secretsBinding(id)));
    switch (type) {
      case "smtp": {
        const { auth, ...server } = config as Omit<SmtpProvider, "auth"> & { auth: Partial<SmtpAuth> };
        return { type, smtp: { ...server, auth: { ...auth, ...opened } as SmtpAuth } };
      }
      case "http":
        return { type, webhook: { id, description, ...config, ...opened } as WebhookProvider };
      case "twilio":
        return { type, id, twilio: { verifyServiceSid: "", ...config, ...opened } as StoredTwilio };
    }
  }
}

const makesCodes = ({ config }: DeliveryProvider): boolean => Boolean(config.verifyServiceSid);
