import { setTimeout as wait } from "node:timers/promises";
import { CompiledQuery, type Kysely, type Transaction } from "kysely";
import { DomainError, type ErrorSlug } from "../errors.ts";
import type { AggregateType, Change, Recorded } from "./aggregate.ts";
import { type AppendResult, type AppendUnit, appendStatement } from "./append-statement.ts";
import { batchUpdateStatement } from "./batch-update-statement.ts";
import { ConflictError, sqlState, UniqueViolation } from "./database-errors.ts";
import { GroupCommit, type Outcome } from "./group-commit.ts";
import { named } from "./named-statements.ts";
import type { Projections } from "./projection.ts";
import type { Statement } from "./row-values.ts";
import { singleAppendStatement } from "./single-append-statement.ts";
import type { Database } from "./tables.ts";

/** How many races a command may lose in its turn before its caller is told ABORTED. */
const MAX_ATTEMPTS = 60;
/**
 * In its turn a command has rivals on other servers only. From so many lost races on it lets them go first for a random
 * while, which grows: servers that always begin anew at the same moment would go on losing by chance.
 */
const RACES_BEFORE_WAITING = 3;
const MAX_WAIT_MS = 32;
/** 40001 serialization failure, 40P01 deadlock detected: the same batch may succeed the next time. */
const RETRIED_STATES = new Set(["40001", "40P01"]);
const MAX_BATCH_ATTEMPTS = 3;

/** The event store: the one way anything is written. */
export class EventRepository {
  readonly #db: Kysely<Database>;
  readonly #projections: Projections;
  readonly #uniqueSlugs: Readonly<Record<string, ErrorSlug>>;
  readonly #commits: GroupCommit<AppendUnit, Date>;
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #onAppended: Partial<Record<AggregateType, (change: Change) => void>>;

  /**
   * @param options.uniqueSlugs the refusal each unique index stands for
   * @param options.onAppended called with each change of such an aggregate, once it is committed
   */
  constructor(
    db: Kysely<Database>,
    projections: Projections,
    {
      lanes = 1,
      uniqueSlugs = {},
      onAppended = {},
    }: {
      lanes?: number;
      uniqueSlugs?: Readonly<Record<string, ErrorSlug>>;
      onAppended?: Partial<Record<AggregateType, (change: Change) => void>>;
    } = {},
  ) {
    this.#db = db;
    this.#projections = projections;
    this.#uniqueSlugs = uniqueSlugs;
    this.#onAppended = onAppended;
    this.#commits = new GroupCommit(
      (units) => this.#writeBatch(units),
      (unit) => unit.filter(({ events }) => events.length > 0).map(aggregateOf),
      { lanes, guardsOf: (unit) => unit.filter(({ events }) => events.length === 0).map(aggregateOf) },
    );
  }

  /**
   * Appends the changes of one command: events, rows and side rows of all of them, or nothing.
   * @returns the append's time: every event's `createdAt`
   * @throws ConflictError if an aggregate is no longer at its expected sequence (see {@link decide})
   * @throws DomainError the slug of the unique index that refused, or `storage.unavailable`
   */
  async append(changes: readonly Change[]): Promise<Date> {
    const appendedAt = await this.#commits.commit(changes);
    for (const change of changes) this.#onAppended[change.type]?.(change);
    return appendedAt;
  }

  /**
   * Runs a command's load, decide and append, again on fresh state for as long as it loses races.
   *
   * The first try is optimistic. After a lost race the command takes its turn among this process's losers on the same
   * aggregate, and newcomers queue up behind them, so that a burst on one session or user finishes in the order it came
   * and whose turn it is has hardly a rival left.
   * @param key the contended aggregate
   * @param options.inTurn no optimistic try, for an attempt too costly to lose
   * @throws DomainError `storage.conflict` (ABORTED) after {@link MAX_ATTEMPTS} lost races
   */
  async decide<T>(
    key: string,
    attempt: () => Promise<T>,
    { inTurn = false }: { inTurn?: boolean } = {},
  ): Promise<T> {
    if (!inTurn && !this.#turns.has(key)) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
    return this.#inTurn(key, async () => {
      for (let lost = 0; lost < MAX_ATTEMPTS; lost++) {
        const waits = lost - RACES_BEFORE_WAITING;
        if (waits >= 0) await wait(Math.random() * Math.min(2 ** (waits + 1), MAX_WAIT_MS));
        try {
          return await attempt();
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
      throw new DomainError("storage.conflict");
    });
  }

  /**
   * Appends units in a transaction of the caller's, which holds the rows they were decided on.
   * @throws ConflictError if any of them is refused; the transaction is to be rolled back then
   */
  async appendWithin(trx: Transaction<Database>, units: readonly AppendUnit[]): Promise<Date> {
    if (units.length === 0) throw new RangeError("nothing to append");
    const { sql, parameters } = appendStatement(units, this.#projections);
    const { rows } = await trx
      .withoutPlugins()
      .executeQuery<AppendResult>(CompiledQuery.raw(named(sql), parameters));
    const { at, refused } = rows[0]!;
    if (refused) throw new ConflictError("the aggregate has moved on");
    return at;
  }

  /**
   * The events of one aggregate, oldest first.
   * @param page.after only those of a higher sequence
   * @param page.limit so many of them at most
   */
  async readStream(
    type: AggregateType,
    id: string,
    { after, limit }: { after?: number; limit?: number } = {},
  ): Promise<Recorded[]> {
    return this.#db
      .selectFrom("events")
      .select(["sequence", "eventType as type", "payload", "actorId", "createdAt"])
      .where("aggregateType", "=", type)
      .where("aggregateId", "=", id)
      .$if(after !== undefined, (query) => query.where("sequence", ">", after!))
      .orderBy("sequence")
      .$if(limit !== undefined, (query) => query.limit(limit!))
      .execute();
  }

  async #inTurn<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(task, task);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  async #writeBatch(units: AppendUnit[]): Promise<Outcome<Date>[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#write(units);
      } catch (error) {
        if (error instanceof DomainError) throw error;
        if (RETRIED_STATES.has(sqlState(error) ?? "") && attempt < MAX_BATCH_ATTEMPTS) continue;
        if (units.length === 1) return [{ ok: false, error: this.#refusal(error) }];
        break;
      }
    }
    // Somebody's unit is at fault, and nothing of the batch was stored: alone, the fault stays with its owner.
    const outcomes: Outcome<Date>[] = [];
    for (const unit of units) {
      // Also when the database goes away in between: what was stored before that is known to be.
      outcomes.push(...(await this.#writeBatch([unit]).catch((error) => [{ ok: false as const, error }])));
    }
    return outcomes;
  }

  async #write(units: AppendUnit[]): Promise<Outcome<Date>[]> {
    const { sql, parameters } = this.#statement(units);
    const { rows } = await this.#db
      .withoutPlugins()
      .executeQuery<AppendResult>(CompiledQuery.raw(named(sql), parameters));
    const { at, refused } = rows[0]!;
    const refusedUnits = new Set(refused);
    return units.map((_, index) =>
      refusedUnits.has(index)
        ? { ok: false, error: new ConflictError("the aggregate has moved on") }
        : { ok: true, value: at },
    );
  }

  #statement(units: AppendUnit[]): Statement {
    const [change, ...others] = units.length === 1 ? units[0]! : [];
    if (change && others.length === 0 && change.events.length > 0) {
      const projection = this.#projections[change.type];
      if (projection.sideTables.length === 0) return singleAppendStatement(change, projection);
    }
    const changes = this.#plainUpdates(units);
    if (changes) return batchUpdateStatement(changes, this.#projections[changes[0]!.type]);
    return appendStatement(units, this.#projections);
  }

  /** The changes, if each unit is one of a stored row, all of one kind that has no side rows. */
  #plainUpdates(units: AppendUnit[]): Change[] | undefined {
    const { type } = units[0]![0]!;
    if (this.#projections[type].sideTables.length > 0) return undefined;
    const isPlain = (unit: AppendUnit) =>
      unit.length === 1 &&
      unit[0]!.type === type &&
      unit[0]!.expectedSequence > 0 &&
      unit[0]!.events.length > 0;
    return units.every(isPlain) ? units.map(([change]) => change!) : undefined;
  }

  #refusal(error: unknown): unknown {
    if (sqlState(error) !== "23505") return error;
    const constraint = String((error as { constraint?: unknown }).constraint);
    // Two first events of one aggregate: whoever came second decides again, on the aggregate that now exists.
    if (constraint.endsWith("_pkey")) return new ConflictError(constraint);
    const slug = this.#uniqueSlugs[constraint];
    return slug ? new DomainError(slug, { cause: error }) : new UniqueViolation(constraint, error);
  }
}

const aggregateOf = ({ type, id }: Change): string => `${type} ${id}`;
