import { ConfigError } from "../config.ts";
import type { ErrorSlug } from "../errors.ts";
import { DomainError } from "../errors.ts";
import { UsageError } from "./command.ts";

/** A failure in words. `message` is one line; `hint` says what to type or look at next. */
export type Failure = {
  message: string;
  hint?: string | undefined;
  /** 2 if the command line or the configuration is wrong, otherwise 1. */
  exitCode: 1 | 2;
  /** A fault of ours: the stack belongs to the report. */
  unexpected?: true;
};

const databaseHint = "is it running, and is GATEHOUSE_DATABASE_URL right?";

const domainHints: Partial<Record<ErrorSlug, string>> = {
  "storage.locked": "another directory is given with --data-dir <path>",
  "storage.newer_schema": "use the Gatehouse version that migrated it, or a newer one",
  "storage.unavailable": databaseHint,
};

/** What the system says in a code, said in words; `where` is an address, a host or a path. */
const systemFailures: Record<string, (where: string) => [message: string, hint: string]> = {
  EADDRINUSE: (where) => [
    `${where} is in use by another program`,
    "give another one, such as --listen :8081",
  ],
  EADDRNOTAVAIL: (where) => [
    `${where} is not an address of this machine`,
    "use --listen :8080 for all of them",
  ],
  EAFNOSUPPORT: (where) => [
    `${where}: this machine has no IPv6`,
    "use --listen 0.0.0.0:8080 for every interface",
  ],
  EACCES: (where) => [`${where}: permission denied`, "check who owns it; ports below 1024 need a privilege"],
  EPERM: (where) => [`${where}: not permitted`, "check who owns it"],
  EROFS: (where) => [
    `${where} cannot be written: the file system is read-only`,
    "choose another with --data-dir",
  ],
  ENOSPC: (where) => [`${where}: no space left on the disk`, "make room, or choose another with --data-dir"],
  ENOTDIR: (where) => [`${where} is not a directory`, "choose another with --data-dir"],
  EEXIST: (where) => [`${where} is not a directory`, "choose another with --data-dir"],
  ENOENT: (where) => [`${where} does not exist`, "check the path"],
  ENOTFOUND: (where) => [`${where}: no such host`, "check the name in --listen or GATEHOUSE_DATABASE_URL"],
  ECONNREFUSED: (where) => [`${where} refuses connections`, databaseHint],
  ETIMEDOUT: (where) => [`${where} does not answer`, databaseHint],
};

const tablesHeld: [message: string, hint: string] = [
  "others have kept tables locked all the time: nothing was changed",
  "end what holds them (a backup, a transaction somebody left open), or choose a quieter hour",
];

/** PostgreSQL's own refusals, by SQLSTATE (PostgreSQL documentation, appendix A). */
const postgresFailures: Record<string, [message: string, hint: string]> = {
  "28000": ["PostgreSQL refuses this user", "check the user in GATEHOUSE_DATABASE_URL, and pg_hba.conf"],
  "28P01": ["PostgreSQL refuses the password", "check user and password in GATEHOUSE_DATABASE_URL"],
  "3D000": [
    "the database does not exist",
    'create it ("createdb <name>"), or correct GATEHOUSE_DATABASE_URL',
  ],
  "40P01": tablesHeld,
  "55P03": tablesHeld,
  "42501": [
    "PostgreSQL denies this user a privilege",
    "the user needs CREATE on the database's public schema",
  ],
  "53300": ["PostgreSQL has no connection left", "lower --database-pool-size, or raise max_connections"],
};

/** Puts whatever a command threw into words for the person who typed it. */
export function explainFailure(error: unknown): Failure {
  if (error instanceof UsageError || error instanceof ConfigError) {
    return { message: error.message, hint: error.hint, exitCode: 2 };
  }
  if (error instanceof DomainError) {
    const deeper = error.slug === "storage.unavailable" ? explainCode(error.cause) : undefined;
    return deeper ?? { message: error.message, hint: domainHints[error.slug], exitCode: 1 };
  }
  return explainCode(error) ?? { message: errorName(error), exitCode: 1, unexpected: true };
}

/** Tells the person on standard error. @returns the exit code */
export function reportFailure(error: unknown): number {
  const { message, hint, exitCode, unexpected } = explainFailure(error);
  console.error(`gatehouse: ${message}`);
  if (hint !== undefined) console.error(`  ${hint}`);
  if (unexpected) console.error("  This is a fault in Gatehouse. Where it happened:\n", error);
  return exitCode;
}

function explainCode(error: unknown): Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, address, port, hostname, path } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  const postgres = code === undefined ? undefined : postgresFailures[code];
  if (postgres !== undefined) return { message: postgres[0], hint: postgres[1], exitCode: 1 };
  // "connect" tries every address of a host and throws them together; the first speaks for all.
  if (error instanceof AggregateError && address === undefined) return explainCode(error.errors[0]);
  const system = code === undefined ? undefined : systemFailures[code];
  if (system === undefined) return undefined;
  const endpoint =
    address !== undefined && port !== undefined
      ? `${address.includes(":") ? `[${address}]` : address}:${port}`
      : address;
  const where = path ?? endpoint ?? hostname;
  if (where === undefined) return undefined;
  const [message, hint] = system(where);
  return { message, hint, exitCode: 1 };
}

const errorName = (error: unknown): string => (error instanceof Error ? error.message : String(error));
