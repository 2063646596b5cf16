import type { PasswordHasher } from "../crypto/password-hasher.ts";
import type { Notifications } from "../notification/notifications.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { PersonalAccessTokenRepository } from "../storage/personal-access-token-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { Delay } from "./tarpit.ts";

/** What the user commands and queries are handed by the composition root. */
export type UserDependencies = {
  events: EventRepository;
  users: UserRepository;
  organizations: OrganizationRepository;
  personalAccessTokens: PersonalAccessTokenRepository;
  passwords: PasswordHasher;
  notifications: Notifications;
  /** Encrypts codes, seeds and other secrets that are read back; 32 bytes from `deriveKey`. */
  encryptionKey: Uint8Array;
  /** The application's clock, for the expiry of codes and tokens. */
  clock: () => Date;
  /** Holds answers to wrong guesses back. */
  delay: Delay;
};
