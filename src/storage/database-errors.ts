import { DomainError } from "../errors.ts";

/** The state an append was decided on is no longer the newest. The command decides again. */
export class ConflictError extends Error {
  override name = "ConflictError";
}

/** A unique index refused a row. */
export class UniqueViolation extends Error {
  override name = "UniqueViolation";
  readonly constraint: string;

  constructor(constraint: string, cause: unknown) {
    super(`unique constraint ${constraint}`, { cause });
    this.constraint = constraint;
  }
}

/**
 * Whether the database could not be reached or went away, as opposed to having refused a statement.
 * After such an error nobody knows whether the statement was carried out.
 * SQLSTATE classes: 08 connection exception, 53 insufficient resources, 57P0x server going down or starting up; 25006,
 * read-only, is what a former primary answers after a failover.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // What the system says of a socket or a name (ECONNREFUSED, EHOSTUNREACH, …) comes with the call that failed.
  if ("syscall" in error || error instanceof AggregateError) return true;
  const code = sqlState(error);
  if (code !== undefined) return /^(08|53|57P0|25006|E(?!RR_)[A-Z])/.test(code);
  return /connection terminated|connection error|timeout exceeded when trying to connect|not queryable|PGlite is closed/i.test(
    error.message,
  );
}

/** `error`, or UNAVAILABLE in its place if the database could not be reached. */
export function translateDatabaseError(error: unknown): unknown {
  return isUnavailable(error) ? new DomainError("storage.unavailable", { cause: error }) : error;
}

export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
