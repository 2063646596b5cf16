import type { DeliveryProvider, InstanceRow } from "../storage/tables.ts";

/**
 * Every event of the instance's ways out for mails (`smtp`, whatever they speak) and text messages (`sms`).
 * `secrets` is encrypted.
 */
export type DeliveryProviderEvent =
  /** It sends nothing until it is activated. */
  | { type: DeliveryProviderAdded; payload: Omit<DeliveryProvider, "type" | "active"> }
  /** From now on it sends, and no other of its channel. */
  | { type: `instance.${Channel}.config.activated`; payload: { id: string } }
  | { type: `instance.${Channel}.config.deactivated`; payload: { id: string } }
  | { type: `instance.${Channel}.config.removed`; payload: { id: string } };

export type DeliveryProviderAdded =
  | "instance.smtp.config.added"
  | "instance.smtp.config.http.added"
  | "instance.sms.config.twilio.added"
  | "instance.sms.config.http.added";

type Channel = "smtp" | "sms";
type Providers = Pick<InstanceRow, "emailProviders" | "smsProviders">;

/** What an event does to the instance's providers. */
export function deliveryProvidersAfter(
  { emailProviders, smsProviders }: Providers,
  event: DeliveryProviderEvent,
): Partial<Providers> {
  switch (event.type) {
    case "instance.smtp.config.added":
      return { emailProviders: added(emailProviders, "smtp", event.payload) };
    case "instance.smtp.config.http.added":
      return { emailProviders: added(emailProviders, "http", event.payload) };
    case "instance.sms.config.twilio.added":
      return { smsProviders: added(smsProviders, "twilio", event.payload) };
    case "instance.sms.config.http.added":
      return { smsProviders: added(smsProviders, "http", event.payload) };
    case "instance.smtp.config.activated":
      return { emailProviders: activated(emailProviders, event.payload) };
    case "instance.sms.config.activated":
      return { smsProviders: activated(smsProviders, event.payload) };
    case "instance.smtp.config.deactivated":
      return { emailProviders: deactivated(emailProviders, event.payload) };
    case "instance.sms.config.deactivated":
      return { smsProviders: deactivated(smsProviders, event.payload) };
    case "instance.smtp.config.removed":
      return { emailProviders: without(emailProviders, event.payload) };
    case "instance.sms.config.removed":
      return { smsProviders: without(smsProviders, event.payload) };
    default:
      return event satisfies never;
  }
}

const added = (
  providers: DeliveryProvider[],
  type: DeliveryProvider["type"],
  provider: Omit<DeliveryProvider, "type" | "active">,
): DeliveryProvider[] => [...providers, { ...provider, type, active: false }];

const activated = (providers: DeliveryProvider[], { id }: { id: string }): DeliveryProvider[] =>
  providers.map((provider) => ({ ...provider, active: provider.id === id }));

const deactivated = (providers: DeliveryProvider[], { id }: { id: string }): DeliveryProvider[] =>
  providers.map((provider) => (provider.id === id ? { ...provider, active: false } : provider));

const without = (providers: DeliveryProvider[], { id }: { id: string }): DeliveryProvider[] =>
  providers.filter((provider) => provider.id !== id);
