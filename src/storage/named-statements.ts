/**
 * Kysely never names a statement, and PostgreSQL plans an unnamed one on every call. The hot statements, and only
 * those, are registered here; the PostgreSQL client sends them under their name and each connection plans them once.
 */
const names = new Map<string, string>();

/** A connection keeps every plan it made; the store's texts are a few dozen, so this bound is never met by design. */
const LIMIT = 200;

/** Registers a hot statement. @returns the text, unchanged */
export function named(text: string): string {
  if (!names.has(text) && names.size < LIMIT) names.set(text, `gatehouse_${names.size}`);
  return text;
}

/** The name a text was registered under. */
export function nameOf(text: string): string | undefined {
  return names.get(text);
}

/**
 * The keys of a batched read, `id = ANY(…)`. Through a subselect, so that the planner never sees how many there are:
 * otherwise it makes a plan for each call instead of keeping one.
 */
export const KEYS = "(SELECT $1::text[])::text[]";
