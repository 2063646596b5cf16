import type { PasswordHasher } from "../crypto/password-hasher.ts";
import type { IntentTokens } from "../idp/intent-token.ts";
import type { CodeGenerators } from "../notification/code-generators.ts";
import type { Notifications } from "../notification/notifications.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { IdentityProviderRepository } from "../storage/identity-provider-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { SessionRepository } from "../storage/session-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { Delay } from "../user/tarpit.ts";
import type { SessionTokens } from "./session-token.ts";
import type { SessionUses } from "./session-uses.ts";

/** What the session commands and queries are handed by the composition root. */
export type SessionDependencies = {
  events: EventRepository;
  sessions: SessionRepository;
  users: UserRepository;
  organizations: OrganizationRepository;
  identityProviders: IdentityProviderRepository;
  intentTokens: IntentTokens;
  tokens: SessionTokens;
  uses: SessionUses;
  passwords: PasswordHasher;
  notifications: Notifications;
  codeGenerators: CodeGenerators;
  /** Encrypts codes in flight, opens the users' stored secrets; 32 bytes from `deriveKey`. */
  encryptionKey: Uint8Array;
  /** Digests recovery codes; 32 bytes from `deriveKey`. */
  recoveryCodeKey: Uint8Array;
  /** The application's clock, for `checkedAt`, codes and challenges. Which session has expired is the database's to say. */
  clock: () => Date;
  /** Holds answers to wrong guesses back. */
  delay: Delay;
  /** Writes down the first batch of a bulk ending, or what it did to one session. */
  writeEndings(endingId: string, sessionId?: string): Promise<void>;
  /** Resource owner of every session. */
  instanceId: string;
  /** What becomes of a WebAuthn check whose authenticator may have a double; it is recorded either way. */
  webAuthNCloneWarning: "refuse" | "record";
  /** `token`: SetSession also demands the session's current token. */
  setSessionProof: "none" | "token";
};
