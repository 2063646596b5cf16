import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";
import type { SessionFilter } from "../storage/session-filter.ts";
import type { Place, SessionSort } from "../storage/session-search.ts";

/** What a cursor is good for: going on in the same order over the same filter. */
export type CursorScope = { filter: SessionFilter; sort: SessionSort; ascending: boolean };

/** @returns base64url text; it hides nothing, and proves nothing but which search it is of */
export function writeCursor(scope: CursorScope, { at, id }: Place): string {
  return Buffer.from(JSON.stringify([digestOf(scope), at, id])).toString("base64url");
}

/** @throws DomainError `session.cursor_invalid` */
export function readCursor(scope: CursorScope, cursor: string): Place {
  const invalid = (cause?: unknown) => new DomainError("session.cursor_invalid", { cause });
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch (error) {
    throw invalid(error);
  }
  const [digest, at, id] = Array.isArray(parts) ? parts : [];
  if (digest !== digestOf(scope) || typeof id !== "string" || id.includes("\0") || !isAt(at)) throw invalid();
  return { at, id };
}

function isAt(at: unknown): at is string {
  if (typeof at !== "string") return false;
  if (at === "infinity" || at === "-infinity") return true;
  const date = new Date(at);
  return !Number.isNaN(date.getTime()) && date.toISOString() === at;
}

/** The same for filters that mean the same: lists and metadata have no order. */
function digestOf({ filter, sort, ascending }: CursorScope): string {
  const conditions = Object.entries(filter)
    .map(([name, value]) => [name, normalized(value)] as const)
    .sort(byName);
  const text = JSON.stringify([sort, ascending, conditions]);
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

function normalized(value: SessionFilter[keyof SessionFilter]): unknown {
  if (Array.isArray(value)) return [...new Set(value)].sort();
  return typeof value === "object" ? Object.entries(value).sort(byName) : value;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
