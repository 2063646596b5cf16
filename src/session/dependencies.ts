import type { PasswordHasher } from "../crypto/password-hasher.ts";
import type { EventRepository } from "../storage/event-repository.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { SessionRepository } from "../storage/session-repository.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { SessionTokens } from "./session-token.ts";

/** What the session commands and queries are handed by the composition root. */
export type SessionDependencies = {
  events: EventRepository;
  sessions: SessionRepository;
  users: UserRepository;
  organizations: OrganizationRepository;
  tokens: SessionTokens;
  passwords: PasswordHasher;
  /** The application's clock, for `checkedAt` only. What has expired is the database's to say. */
  clock: () => Date;
  /** Resource owner of every session. */
  instanceId: string;
  /** `token`: SetSession also demands the session's current token. */
  setSessionProof: "none" | "token";
};
