import { knowsText, openText, sealText } from "../crypto/sealed-text.ts";
import type { IdentityProviderState } from "./identity-provider.ts";
import type { Provider } from "./protocol/provider.ts";
import { protocolOf, settingsOf } from "./provider-settings.ts";

const bindingOf = (idpId: string): string => `idp/${idpId}/secret`;

/** A provider's client secret, or Apple's key, encrypted for this provider alone. */
export function sealSecret(encryptionKey: Uint8Array, idpId: string, secret: string): string {
  return sealText(encryptionKey, secret, bindingOf(idpId));
}

/** Whether the provider has this secret already. */
export function knowsSecret(
  encryptionKey: Uint8Array,
  { id, secret }: IdentityProviderState,
  given: string,
): boolean {
  return secret !== null && knowsText(encryptionKey, secret, bindingOf(id), given);
}

/** The provider with its secret, ready to be talked to. */
export function openProvider(encryptionKey: Uint8Array, provider: IdentityProviderState): Provider {
  const secret =
    provider.secret === null ? "" : openText(encryptionKey, provider.secret, bindingOf(provider.id));
  return protocolOf(settingsOf(provider), secret);
}
