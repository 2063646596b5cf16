import type { PasswordHasher } from "../crypto/password-hasher.ts";
import type { Notifications } from "../notification/notifications.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { SessionRepository } from "../storage/session-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { Delay } from "../user/tarpit.ts";
import type { SessionTokens } from "./session-token.ts";

/** What the session commands and queries are handed by the composition root. */
export type SessionDependencies = {
  events: EventRepository;
  sessions: SessionRepository;
  users: UserRepository;
  organizations: OrganizationRepository;
  tokens: SessionTokens;
  passwords: PasswordHasher;
  notifications: Notifications;
  /** Encrypts codes in flight, opens the users' stored secrets; 32 bytes from `deriveKey`. */
  encryptionKey: Uint8Array;
  /** The application's clock, for `checkedAt`, codes and challenges. Which session has expired is the database's to say. */
  clock: () => Date;
  /** Holds answers to wrong guesses back. */
  delay: Delay;
  /** Resource owner of every session. */
  instanceId: string;
  /** `token`: SetSession also demands the session's current token. */
  setSessionProof: "none" | "token";
};
