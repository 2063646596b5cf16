import type { EndReason, SessionFactors } from "./tables.ts";

/** A kind of factor, and of who the session is about. */
export type SessionFactor = keyof SessionFactors;

/** How a session stands: see `standing` in the session room. */
export type SessionStatus = "active" | "expired" | "ended";

/**
 * Which sessions: those that meet every condition given. A list is met by one of its entries, but for factors and
 * metadata, where every entry must hold. JSON as it is: a running bulk ending keeps it.
 */
export type SessionFilter = {
  ids?: readonly string[];
  userIds?: readonly string[];
  organizationIds?: readonly string[];
  creatorIds?: readonly string[];
  fingerprintIds?: readonly string[];
  /** IP addresses, or networks in CIDR notation. */
  addresses?: readonly string[];
  /** ISO 8601; created then or later. */
  createdFrom?: string;
  /** ISO 8601; created earlier. */
  createdBefore?: string;
  factorsPresent?: readonly SessionFactor[];
  factorsMissing?: readonly SessionFactor[];
  /** Key to standard base64, as stored. */
  metadata?: Readonly<Record<string, string>>;
  exceptIds?: readonly string[];
  /** None: active and expired ones. */
  statuses?: readonly SessionStatus[];
  reasons?: readonly EndReason[];
};
