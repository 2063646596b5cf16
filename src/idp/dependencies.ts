import type { EventRepository } from "../storage/event-repository.ts";
import type { IdentityProviderRepository } from "../storage/identity-provider-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { IntentTokens } from "./intent-token.ts";
import type { ProviderClient } from "./protocol/provider-client.ts";

/** What the commands and queries of identity providers are handed by the composition root. */
export type IdpDependencies = {
  events: EventRepository;
  identityProviders: IdentityProviderRepository;
  organizations: OrganizationRepository;
  intentTokens: IntentTokens;
  /** Talks to the providers. */
  providers: ProviderClient;
  /** Where providers send the browser back to, `https://auth.example.com/idps/callback`. */
  callbackUrl: () => string;
  /** Encrypts the providers' secrets and tokens; 32 bytes from `deriveKey`. */
  encryptionKey: Uint8Array;
  /** The application's clock, for the expiry of intents. */
  clock: () => Date;
  /** Resource owner of intents, and of providers that belong to no organization. */
  instanceId: string;
};
