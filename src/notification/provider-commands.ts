import type { Caller } from "../auth/caller.ts";
import { randomToken, uuidV7 } from "../crypto/random-ids.ts";
import { sealText } from "../crypto/sealed-text.ts";
import { DomainError } from "../errors.ts";
import type { Channel } from "../notify/message.ts";
import { readHost, type SmtpProvider } from "../notify/smtp.ts";
import { readSender } from "../notify/smtp-url.ts";
import { isWebhookEndpoint } from "../notify/webhook.ts";
import type { DeliveryProviderAdded } from "../organization/delivery-providers.ts";
import { changeInstance, type SettingsDependencies } from "../organization/settings/change-instance.ts";
import type { Details } from "../storage/details.ts";
import { type ProviderSecrets, type StoredTwilio, secretsBinding } from "./providers.ts";

type Dependencies = SettingsDependencies & { encryptionKey: Uint8Array };

export type AddedProvider = { id: string; details: Details };

/** @throws DomainError `auth.permission_denied`, `notification.provider_invalid` */
export async function addSmtpProvider(
  dependencies: Dependencies,
  caller: Caller,
  { description, auth, ...server }: SmtpProvider & { description: string },
): Promise<AddedProvider> {
  const { config, secrets } = splitAuth(auth);
  return add(dependencies, caller, "instance.smtp.config.added", {
    description,
    config: { ...server, auth: config },
    secrets,
    check: () => checkSmtp({ ...server, auth }),
  });
}

/**
 * Adds a webhook that turns messages into mails or text messages.
 * @returns `signingKey` too: the messages are signed with it, and it is never shown again
 * @throws DomainError `auth.permission_denied`, `notification.provider_invalid`
 */
export async function addWebhookProvider(
  dependencies: Dependencies,
  caller: Caller,
  channel: Channel,
  { endpoint, description }: { endpoint: string; description: string },
): Promise<AddedProvider & { signingKey: string }> {
  const signingKey = randomToken(32);
  const type = channel === "email" ? "instance.smtp.config.http.added" : "instance.sms.config.http.added";
  const added = await add(dependencies, caller, type, {
    description,
    config: { endpoint },
    secrets: { signingKey },
    check: () => isWebhookEndpoint(endpoint) || invalid("the endpoint is no http or https URL"),
  });
  return { ...added, signingKey };
}

/**
 * Adds an account at Twilio. With a Verify service, codes for sessions are made and checked there; messages with a code
 * made here need the sender's number all the same.
 * @throws DomainError `auth.permission_denied`, `notification.provider_invalid`
 */
export async function addTwilioProvider(
  dependencies: Dependencies,
  caller: Caller,
  provider: StoredTwilio & { description: string },
): Promise<AddedProvider> {
  const { description, verifyServiceSid, sid, senderNumber, token } = provider;
  return add(dependencies, caller, "instance.sms.config.twilio.added", {
    description,
    config: { sid, senderNumber, verifyServiceSid },
    secrets: { token },
    check: () => senderNumber !== "" || verifyServiceSid !== "" || invalid("the sender's number is missing"),
  });
}

/**
 * From now on messages of the channel leave this way, and no other. What is so already stays so.
 * @throws DomainError `auth.permission_denied`, `notification.provider_not_found`
 */
export const activateProvider = (
  dependencies: Dependencies,
  caller: Caller,
  channel: Channel,
  id: string,
): Promise<Details> => change(dependencies, caller, channel, id, "activated", ({ active }) => !active);

/** @throws DomainError `auth.permission_denied`, `notification.provider_not_found` */
export const deactivateProvider = (
  dependencies: Dependencies,
  caller: Caller,
  channel: Channel,
  id: string,
): Promise<Details> => change(dependencies, caller, channel, id, "deactivated", ({ active }) => active);

/** @throws DomainError `auth.permission_denied`, `notification.provider_not_found` */
export const removeProvider = (
  dependencies: Dependencies,
  caller: Caller,
  channel: Channel,
  id: string,
): Promise<Details> => change(dependencies, caller, channel, id, "removed", () => true);

type NewProvider = {
  description: string;
  config: Record<string, unknown>;
  secrets: ProviderSecrets;
  /** Throws what is wrong with it; asked only of callers who may add it. */
  check: () => void;
};

async function add(
  dependencies: Dependencies,
  caller: Caller,
  type: DeliveryProviderAdded,
  { description, config, secrets, check }: NewProvider,
): Promise<AddedProvider> {
  const id = uuidV7();
  const sealed =
    Object.keys(secrets).length === 0
      ? null
      : sealText(dependencies.encryptionKey, JSON.stringify(secrets), secretsBinding(id));
  const details = await changeInstance(dependencies, caller, "iam.write", () => {
    check();
    return { type, payload: { id, description, config, secrets: sealed } };
  });
  return { id, details };
}

async function change(
  dependencies: Dependencies,
  caller: Caller,
  channel: Channel,
  id: string,
  what: "activated" | "deactivated" | "removed",
  isNews: (provider: { active: boolean }) => boolean,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.write", ({ emailProviders, smsProviders }) => {
    const provider = (channel === "email" ? emailProviders : smsProviders).find((each) => each.id === id);
    if (!provider) throw new DomainError("notification.provider_not_found");
    const prefix = channel === "email" ? "instance.smtp.config" : "instance.sms.config";
    return isNews(provider) ? { type: `${prefix}.${what}`, payload: { id } } : undefined;
  });
}

function splitAuth(auth: SmtpProvider["auth"]): { config: object; secrets: ProviderSecrets } {
  switch (auth.type) {
    case "none":
      return { config: auth, secrets: {} };
    case "plain": {
      const { password, ...config } = auth;
      return { config, secrets: { password } };
    }
    case "xoauth2": {
      const { clientSecret, ...config } = auth;
      return { config, secrets: { clientSecret } };
    }
  }
}

function checkSmtp({ host, senderAddress, replyToAddress, auth }: SmtpProvider): void {
  const { name, port } = readHost(host);
  if (!/^[a-z0-9._:-]+$/i.test(name) || (port !== undefined && (port < 1 || port > 65_535))) {
    invalid("the host is no name:port");
  }
  if (!isAddress(senderAddress)) invalid("the sender's address is no e-mail address");
  if (replyToAddress && !isAddress(replyToAddress)) invalid("the reply address is no e-mail address");
  if (auth.type !== "none" && auth.user === "") invalid("the user is missing");
  if (auth.type === "xoauth2" && !isWebhookEndpoint(auth.tokenEndpoint)) {
    invalid("the token endpoint is no http or https URL");
  }
}

const isAddress = (text: string): boolean => readSender(text)?.senderAddress === text;

function invalid(message: string): never {
  throw new DomainError("notification.provider_invalid", { message });
}
