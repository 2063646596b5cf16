import type { Results } from "@electric-sql/pglite";

/** What the thread of the embedded database is told; it answers each in turn. */
export type EngineRequest =
  | { id: number; statement: string; parameters: unknown[] }
  | { id: number; close: true };

export type EngineReply =
  | { ready: true }
  /** The last one: PostgreSQL ended by itself, and the thread with it. */
  | { fault: string }
  | { id: number; results: EngineResults }
  | { id: number; error: EngineErrorFields };

/** `command` is the first word of PostgreSQL's command tag: a COMMIT that answers ROLLBACK committed nothing. */
export type EngineResults = Pick<Results, "rows" | "fields" | "affectedRows"> & { command?: string };

/** What an error may tell outside: that of PostgreSQL has the statement and its values too, and errors are logged. */
export type EngineErrorFields = { message: string } & Partial<
  Record<(typeof namesOfFields)[number], string | undefined>
>;

const namesOfFields = ["code", "severity", "constraint", "schema", "table", "column", "routine"] as const;

export class EngineError extends Error {
  override name = "EngineError";

  constructor({ message, ...fields }: EngineErrorFields) {
    super(message);
    Object.assign(this, fields);
  }
}

/** An error without hashes, digests and other values that statements carry. */
export function fieldsOf(error: unknown): EngineErrorFields {
  const fields: EngineErrorFields = { message: error instanceof Error ? error.message : String(error) };
  for (const name of namesOfFields) {
    const value = (error as Partial<Record<string, unknown>>)[name];
    if (typeof value === "string") fields[name] = value;
  }
  return fields;
}
