import type { Generated } from "kysely";
import type { AggregateType } from "./aggregate.ts";
import type { RowTable } from "./row-table.ts";

/**
 * One row type per table, in the domain's shape: camelCase, `Date`, plain JSON. The rows of `sessions`, `users`,
 * `organizations` and `instances` are the folded states of their aggregates, field by field.
 */
export type Database = {
  events: EventRow;
  sessions: SessionRow;
  users: UserRow;
  personalAccessTokens: PersonalAccessTokenRow;
  organizations: OrganizationRow;
  instances: InstanceRow;
  memberships: MembershipRow;
};

export type EventRow = {
  aggregateType: AggregateType;
  aggregateId: string;
  sequence: number;
  eventType: string;
  payload: object;
  actorId: string;
  createdAt: Date;
  /** With `position` the order of the feed: `(tx, position)`, never `position` alone. */
  tx: Generated<string>;
  position: Generated<number>;
};

/** When a factor was last proven; ISO 8601 text, the application's clock. */
export type FactorCheck = { checkedAt: string };

export type SessionFactors = {
  user?: FactorCheck & { preferredLanguage?: string };
  /** `epoch`: the user's password epoch at the check. A later password ends the factor. */
  password?: FactorCheck & { epoch: number };
};

export type SessionUserAgent = {
  ip?: string;
  description?: string;
  header?: Record<string, string[]>;
};

export type SessionRow = {
  id: string;
  sequence: number;
  status: "none" | "active" | "terminated";
  creatorId: string;
  userId: string | null;
  userOrganizationId: string | null;
  /** The user's session epoch when the user was checked: once the user's is higher, the session is over. */
  userEpoch: number | null;
  factors: SessionFactors;
  /** Key to standard base64. */
  metadata: Record<string, string>;
  fingerprintId: string | null;
  userAgent: SessionUserAgent | null;
  /** SHA-256 of the current token id, base64url. */
  tokenDigest: string | null;
  expiresAt: Date | null;
  createdAt: Date;
  changedAt: Date;
};

export const sessionTable: RowTable = {
  name: "sessions",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["creator_id", "text"],
    ["user_id", "text"],
    ["user_organization_id", "text"],
    ["user_epoch", "bigint"],
    ["factors", "jsonb"],
    ["metadata", "jsonb"],
    ["fingerprint_id", "text"],
    ["user_agent", "jsonb"],
    ["token_digest", "text"],
    ["expires_at", "time"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type UserStatus = "none" | "active" | "inactive" | "locked" | "removed";

/** An encrypted code that proves an e-mail address or a phone number. */
export type VerificationCode = { encrypted: string; expiresAt: string };

export type UserRow = {
  id: string;
  sequence: number;
  status: UserStatus;
  type: "human" | "machine";
  organizationId: string;
  username: string;
  /** What must be unique on the instance: the user name in lower case, null once the user is removed. */
  usernameKey: string | null;
  givenName: string | null;
  familyName: string | null;
  nickName: string | null;
  displayName: string | null;
  preferredLanguage: string | null;
  /** Number of `zitadel.user.v2.Gender`. */
  gender: number | null;
  email: string | null;
  emailVerified: boolean;
  emailCode: VerificationCode | null;
  phone: string | null;
  phoneVerified: boolean;
  phoneCode: VerificationCode | null;
  machineName: string | null;
  machineDescription: string | null;
  /** Number of `zitadel.user.v2.AccessTokenType`. */
  accessTokenType: number | null;
  /** PHC or modular crypt text. */
  passwordHash: string | null;
  passwordChangeRequired: boolean;
  passwordChangedAt: Date | null;
  /** Wrong passwords in a row. */
  passwordFailedAttempts: number;
  /** Grows with every new password; a rehash of the same one does not count. */
  passwordEpoch: number;
  /** Grows whenever the user's sessions end as a whole: lock, deactivation, removal. */
  sessionEpoch: number;
  /** Key to standard base64. */
  metadata: Record<string, string>;
  createdAt: Date;
  changedAt: Date;
};

export const userTable: RowTable = {
  name: "users",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["type", "text"],
    ["organization_id", "text"],
    ["username", "text"],
    ["username_key", "text"],
    ["given_name", "text"],
    ["family_name", "text"],
    ["nick_name", "text"],
    ["display_name", "text"],
    ["preferred_language", "text"],
    ["gender", "bigint"],
    ["email", "text"],
    ["email_verified", "boolean"],
    ["email_code", "jsonb"],
    ["phone", "text"],
    ["phone_verified", "boolean"],
    ["phone_code", "jsonb"],
    ["machine_name", "text"],
    ["machine_description", "text"],
    ["access_token_type", "bigint"],
    ["password_hash", "text"],
    ["password_change_required", "boolean"],
    ["password_changed_at", "time"],
    ["password_failed_attempts", "bigint"],
    ["password_epoch", "bigint"],
    ["session_epoch", "bigint"],
    ["metadata", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type PersonalAccessTokenRow = {
  id: string;
  /** SHA-256 of the token text, base64url. */
  digest: string;
  userId: string;
  organizationId: string;
  /** Null: never expires. */
  expiresAt: Date | null;
  createdAt: Date;
};

export const personalAccessTokenTable: RowTable = {
  name: "personal_access_tokens",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["digest", "text"],
    ["user_id", "text"],
    ["organization_id", "text"],
    ["expires_at", "time"],
    ["created_at", "time"],
  ],
};

export type OrganizationRow = {
  id: string;
  sequence: number;
  status: "none" | "active" | "inactive" | "removed";
  name: string;
  /** Unique on the instance: the name in lower case, null once removed. */
  nameKey: string | null;
  primaryDomain: string;
  /** The organization's own lockout setting; null: the instance's applies. */
  maxPasswordAttempts: number | null;
  createdAt: Date;
  changedAt: Date;
};

export const organizationTable: RowTable = {
  name: "organizations",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["name", "text"],
    ["name_key", "text"],
    ["primary_domain", "text"],
    ["max_password_attempts", "bigint"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type InstanceRow = {
  id: string;
  sequence: number;
  status: "none" | "active";
  defaultOrganizationId: string;
  /** Derived from the master key; a server with another key must not serve this instance. */
  keyCheck: string;
  /** 0: wrong passwords never lock. */
  maxPasswordAttempts: number;
  createdAt: Date;
  changedAt: Date;
};

export const instanceTable: RowTable = {
  name: "instances",
  keyColumns: 1,
  columns: [
    ["id", "text"],
    ["sequence", "bigint"],
    ["status", "text"],
    ["default_organization_id", "text"],
    ["key_check", "text"],
    ["max_password_attempts", "bigint"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};

export type MembershipRow = {
  userId: string;
  /** `instance`, or the id of an organization. */
  resourceId: string;
  roles: string[];
  createdAt: Date;
  changedAt: Date;
};

/** `resourceId` of a membership on the instance itself. Organization ids are UUIDs, or at least not this word. */
export const INSTANCE_RESOURCE = "instance";

export const membershipTable: RowTable = {
  name: "memberships",
  keyColumns: 2,
  insertOnly: ["created_at"],
  columns: [
    ["user_id", "text"],
    ["resource_id", "text"],
    ["roles", "jsonb"],
    ["created_at", "time"],
    ["changed_at", "time"],
  ],
};
