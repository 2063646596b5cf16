import type { AccessTokens } from "../auth/access-token.ts";
import type { PasswordHasher } from "../crypto/password-hasher.ts";
import type { Notifications } from "../notification/notifications.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { IdentityProviderRepository } from "../storage/identity-provider-repository.ts";
import type { MachineKeyRepository } from "../storage/machine-key-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { PersonalAccessTokenRepository } from "../storage/personal-access-token-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { FindOwnSession } from "./own-session.ts";
import type { Delay } from "./tarpit.ts";

/** What the user commands and queries are handed by the composition root. */
export type UserDependencies = {
  events: EventRepository;
  users: UserRepository;
  organizations: OrganizationRepository;
  identityProviders: IdentityProviderRepository;
  personalAccessTokens: PersonalAccessTokenRepository;
  machineKeys: MachineKeyRepository;
  accessTokens: AccessTokens;
  passwords: PasswordHasher;
  notifications: Notifications;
  ownSession: FindOwnSession;
  /** Encrypts codes, seeds and other secrets that are read back; 32 bytes from `deriveKey`. */
  encryptionKey: Uint8Array;
  /** Digests recovery codes; 32 bytes from `deriveKey`. */
  recoveryCodeKey: Uint8Array;
  /** Under which name authenticators show the accounts of this server. */
  issuerName: string;
  /** Host name people know this server by, the relying party of passkeys; undefined: whatever a request calls it. */
  publicHost: string | undefined;
  /** The application's clock, for the expiry of codes and tokens. */
  clock: () => Date;
  /** Holds answers to wrong guesses back. */
  delay: Delay;
};
