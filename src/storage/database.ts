import type { PGlite } from "@electric-sql/pglite";
import { CamelCasePlugin, Kysely, PGliteDialect, type PGliteDialectConfig, PostgresDialect } from "kysely";
import pg from "pg";
import { translateDatabaseError } from "./database-errors.ts";
import { createDatabase } from "./embedded/create-database.ts";
import { EngineError, fieldsOf } from "./embedded/engine-messages.ts";
import { EngineThread } from "./embedded/engine-thread.ts";
import { nameOf } from "./named-statements.ts";
import type { Database } from "./tables.ts";
import { arrayLiteral, parseTimestamp } from "./text-format.ts";

/** An open database: the same Kysely on both engines. */
export type OpenDatabase = {
  db: Kysely<Database>;
  engine: "postgres" | "pglite";
  close(): Promise<void>;
};

// JSON keys are data here, not columns: metadata keys must come back as they went in.
const camelCase = () => new CamelCasePlugin({ maintainNestedObjectKeys: true });

const parsers = new Map<number, (text: string) => unknown>([
  // int8 holds sequences and counts only, all far below 2^53.
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.TIMESTAMPTZ, parseTimestamp],
]);

/**
 * Opens a PostgreSQL database; connections are made when first needed.
 * Every error that means "not reachable" is thrown as DomainError `storage.unavailable`.
 * @param options.poolSize connections at most
 * @param options.answerTimeoutMs how long a statement may take before the database counts as not reachable; by default
 *   as long as it likes
 */
export function openPostgres(
  url: string,
  { poolSize = 10, answerTimeoutMs }: { poolSize?: number; answerTimeoutMs?: number } = {},
): OpenDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5_000,
    Client: class extends PoolClient {
      override answerTimeoutMs = answerTimeoutMs;
    },
    types: { getTypeParser: (oid, format) => parsers.get(oid) ?? pg.types.getTypeParser(oid, format) },
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => {});
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: {
        options: pool.options,
        connect: () => pool.connect().catch(rethrowTranslated),
        end: () => pool.end(),
      },
    }),
    plugins: [camelCase()],
  });
  return { db, engine: "postgres", close: () => db.destroy() };
}

/**
 * Opens the embedded database in a thread of its own: a heavy statement and the disk hold up nobody but those who wait
 * for the database.
 * @param directory its files, made if missing
 * @param onDeath hears that the thread ended by itself; from then on every statement is `storage.unavailable`
 */
export async function openPglite(directory: string, onDeath: (reason: Error) => void): Promise<OpenDatabase> {
  await createDatabase(directory);
  const engine = new EngineThread(directory, onDeath);
  await engine.waitReady;
  return openedPglite(engine);
}

/**
 * Opens the embedded database in this thread, which it holds up while it works. For tests and tools, that have nothing
 * else to do and gain the start of a thread.
 * @param directory its files, which must be there; undefined keeps everything in memory
 */
export async function openPgliteHere(directory?: string): Promise<OpenDatabase> {
  // Imported when needed: PGlite is some 20 MB of WebAssembly that a server on PostgreSQL never touches.
  const { openEngine, openEngineInMemory } = await import("./embedded/engine.ts");
  const engine =
    directory === undefined ? await openEngineInMemory() : await openEngine(directory, rethrowTranslated);
  return openedPglite(withoutValuesInErrors(engine));
}

function openedPglite(
  pglite: PGliteDialectConfig["pglite"] & { closed: boolean; close(): Promise<void> },
): OpenDatabase {
  const db = new Kysely<Database>({ dialect: new PGliteDialect({ pglite }), plugins: [camelCase()] });
  return {
    db,
    engine: "pglite",
    close: async () => {
      await db.destroy();
      if (!pglite.closed) await pglite.close();
    },
  };
}

type Queries = Pick<PGlite, "query">;

/** PGlite's errors carry the statement and its parameters, hashes and digests among them, and errors are logged. */
function withoutValuesInErrors(pglite: PGlite): PGlite {
  const guard = <Q extends Queries>(queries: Q): Q => {
    const query = queries.query.bind(queries);
    queries.query = ((...parameters: Parameters<typeof query>) =>
      query(...parameters).catch((error: unknown) =>
        rethrowTranslated(new EngineError(fieldsOf(error))),
      )) as Q["query"];
    return queries;
  };
  const transaction = pglite.transaction.bind(pglite);
  pglite.transaction = (work) => transaction((tx) => work(guard(tx)));
  return guard(pglite);
}

/** A connection that sends the statements registered as hot under their names, so that PostgreSQL keeps their plans. */
class PoolClient extends pg.Client {
  answerTimeoutMs: number | undefined;

  constructor(config?: pg.ClientConfig) {
    super(config);
    // The pool listens for the errors of idle connections only. One that breaks at work tells its query, which is
    // enough; unheard, the second telling would end the process.
    this.on("error", () => {});
  }

  // biome-ignore lint/suspicious/noExplicitAny: pg.Client.query has a dozen overloads, Kysely uses one of them
  override query(...parameters: any[]): any {
    const [text, values] = parameters;
    if (typeof text !== "string" || !Array.isArray(values)) {
      return (super.query as (...all: unknown[]) => unknown).apply(this, parameters);
    }
    const query = { name: nameOf(text), text, values: values.map(asText) };
    return this.#orGivenUp(super.query(query)).catch(rethrowTranslated);
  }

  // The connection goes with the statement: who came next would wait behind it.
  async #orGivenUp<T>(answer: Promise<T>): Promise<T> {
    if (this.answerTimeoutMs === undefined) return answer;
    // Not before the sockets were looked at once more: after a long pause of this process the timer is heard first,
    // and the answer may well be there.
    const timer = setTimeout(() => setImmediate(() => answered || void this.end()), this.answerTimeoutMs);
    let answered = false;
    try {
      return await answer;
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  }
}

const asText = (value: unknown): unknown => (Array.isArray(value) ? (arrayLiteral(value) ?? value) : value);

function rethrowTranslated(error: unknown): never {
  throw translateDatabaseError(error);
}
