import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { type Comparison, type Sql, timeSql } from "./conditions.ts";
import type { SessionFilter, SessionStatus } from "./session-filter.ts";
import { conditionsOf, type ListCondition, listsOf } from "./session-filter-sql.ts";
import { keysSql } from "./session-keys-sql.ts";
import type { Selection } from "./session-parts-sql.ts";
import { type FlatRecord, nest, recordColumns } from "./session-record.ts";
import type { SessionRecord } from "./session-repository.ts";
import { isQuietSql, type Moment, quietMoment, readMoment } from "./session-standing-sql.ts";
import { countSql } from "./session-total-sql.ts";
import type { Visibility } from "./session-visibility-sql.ts";
import type { Database, EndReason, SessionRow, UserEndingRow } from "./tables.ts";

/** What a list is sorted by; sessions that are equal in it by their ids. */
export type SessionSort = "creation" | "change" | "expiration" | "lastUse";

/** A row's place in the order: what it is sorted by (ISO 8601, `infinity` or `-infinity`), and its id. */
export type Place = { at: string; id: string };

/** A condition of ListSessions. */
export type ListCriterion =
  | { by: "ids"; ids: readonly string[] }
  | { by: "userId"; id: string }
  | { by: "createdAt"; comparison: Comparison; at: Date }
  | { by: "creatorId"; id: string }
  | { by: "fingerprintId"; id: string }
  | { by: "expiresAt"; comparison: Comparison; at: Date };

/** Which page of which sessions. */
export type SessionSearch = {
  filter: SessionFilter;
  /** Must hold beside the filter. */
  criteria?: readonly ListCriterion[];
  visibility: Visibility;
  /** Others than creation read every match: for filters that few sessions meet. */
  sort: SessionSort;
  ascending: boolean;
  /** Begins after this place. */
  after?: Place | undefined;
  offset?: number;
  limit: number;
  /** A number: counts up to it. */
  total: "none" | "exact" | number;
};

/** A session, and the act on its user that ended it if there was one. */
export type SessionHit = { record: SessionRecord; act: UserAct | undefined };

/** How an act on a user ended sessions. */
export type UserAct = Pick<UserEndingRow, "reason" | "actorId" | "endedAt">;

export type SessionPage = {
  hits: SessionHit[];
  /** The place of the last hit; undefined: nothing comes after it. */
  next: Place | undefined;
  /** Undefined if nothing was to be counted. */
  total: number | undefined;
  /** There are more than `total`. */
  isTotalCapped: boolean;
  /** The database's clock at the read. */
  now: Date;
};

type Counted = { now: Date; isAsAssumed: boolean; total: number | null };

type FlatHit = FlatRecord & { actReason: EndReason | null; actActorId: string; actEndedAt: Date };

/** A page and its total, out of one snapshot. */
export async function searchSessions(db: Kysely<Database>, search: SessionSearch): Promise<SessionPage> {
  // Nearly always one statement is enough: with nothing else to look at, it is a snapshot by itself.
  const raw = db.withoutPlugins();
  const quiet = await readPage(raw, search, quietMoment, isQuietSql);
  if (quiet !== undefined) return quiet;
  // The embedded database has one connection: nothing comes between there anyway.
  const transaction = raw.transaction().setIsolationLevel("repeatable read").setAccessMode("read only");
  const page = await transaction.execute(async (snapshot) =>
    readPage(snapshot, search, await readMoment(snapshot), sql<SqlBool>`true`),
  );
  return page!;
}

/** @returns undefined unless the moment is as assumed */
async function readPage(
  db: Kysely<Database>,
  search: SessionSearch,
  moment: Moment,
  isAsAssumed: Sql,
): Promise<SessionPage | undefined> {
  const { sort, ascending, after, offset = 0, limit, total } = search;
  const selection = selectionOf(search);
  const range = { key: keyOf(sort, ascending), ascending, after, offset, limit: limit + 1 };
  const direction = sql.raw(ascending ? "ASC" : "DESC");
  const upTo = total === "exact" ? undefined : total;
  const counted =
    upTo === "none"
      ? sql`NULL::bigint`
      : countSql(selection, moment, upTo === undefined ? undefined : upTo + 1);
  const { rows } = await sql<Counted & (FlatHit | { id: null })>`
    SELECT m.now, m.is_as_assumed AS "isAsAssumed", CASE WHEN m.is_as_assumed THEN ${counted} END AS total, p.*
    FROM (SELECT ${moment.now} AS now, ${isAsAssumed} AS is_as_assumed) m
    LEFT JOIN (
      SELECT ${sql.raw(recordColumns)}, k.at, a.reason AS "actReason", a.actor_id AS "actActorId",
        a.ended_at AS "actEndedAt"
      FROM (${keysSql(selection, moment, range)}) k JOIN sessions s ON s.id = k.id
      LEFT JOIN users u ON u.id = s.user_id
      LEFT JOIN user_endings a ON a.user_id = s.user_id AND a.epoch = s.user_epoch
    ) p ON m.is_as_assumed
    ORDER BY p.at ${direction}, p.id ${direction}`.execute(db);
  const { now, isAsAssumed: holds, total: found } = rows[0]!;
  if (!holds) return undefined;

  const { endings } = moment;
  const all = rows.flatMap((row) => (row.id === null ? [] : toHit(row as FlatHit, { now, endings })));
  const hits = all.slice(0, limit);
  const last = all.length > limit ? hits.at(-1) : undefined;
  return {
    hits,
    next: last && placeOf(last.record.session, search),
    ...totalOf(found, upTo),
    now,
  };
}

function totalOf(
  found: number | null,
  upTo: number | "none" | undefined,
): Pick<SessionPage, "total" | "isTotalCapped"> {
  if (found === null) return { total: undefined, isTotalCapped: false };
  const total = Number(found);
  return typeof upTo === "number" && total > upTo
    ? { total: upTo, isTotalCapped: true }
    : { total, isTotalCapped: false };
}

function selectionOf({ filter, criteria = [], visibility }: SessionSearch): Selection {
  const { statuses = ["active", "expired"], reasons } = filter;
  return {
    lists: [...listsOf(filter), ...criteria.flatMap(listOf)],
    conditions: [...conditionsOf(filter), ...criteria.flatMap(conditionOf)],
    expiry: criteria.map(expiryOf).find((expiry) => expiry !== undefined),
    visibility,
    statuses: new Set<SessionStatus>(statuses),
    reasons,
  };
}

function listOf(criterion: ListCriterion): ListCondition[] {
  switch (criterion.by) {
    case "ids":
      return [{ column: "id", values: criterion.ids }];
    case "userId":
    case "creatorId":
    case "fingerprintId":
      return [{ column: criterion.by, values: [criterion.id] }];
    default:
      return [];
  }
}

function conditionOf(criterion: ListCriterion): Sql[] {
  if (criterion.by === "createdAt") return [timeSql(sql`s.created_at`, criterion.comparison, criterion.at)];
  const expiry = expiryOf(criterion);
  if (expiry === undefined) return [];
  return [expiry.orNever ? sql<SqlBool>`(s.expires_at IS NULL OR ${expiry.condition})` : expiry.condition];
}

/** A session without expiration is later than any date. */
function expiryOf(criterion: ListCriterion): Selection["expiry"] {
  if (criterion.by !== "expiresAt") return undefined;
  const { comparison, at } = criterion;
  return { condition: timeSql(sql`s.expires_at`, comparison, at), orNever: comparison.startsWith(">") };
}

/** Sessions that do not expire come last in either direction. */
function keyOf(sort: SessionSort, ascending: boolean): RawBuilder<unknown> {
  const never = sql.raw(`'${neverIn(ascending)}'::timestamptz`);
  return {
    creation: sql`s.created_at`,
    change: sql`s.changed_at`,
    expiration: sql`coalesce(s.expires_at, ${never})`,
    lastUse: sql`s.last_used_at`,
  }[sort];
}

function placeOf(session: SessionRow, { sort, ascending }: SessionSearch): Place {
  const at = {
    creation: session.createdAt,
    change: session.changedAt,
    expiration: session.expiresAt,
    lastUse: session.lastUsedAt,
  }[sort];
  return { at: at?.toISOString() ?? neverIn(ascending), id: session.id };
}

function neverIn(ascending: boolean): string {
  return ascending ? "infinity" : "-infinity";
}

function toHit(
  { actReason, actActorId, actEndedAt, ...row }: FlatHit,
  moment: Pick<SessionRecord, "now" | "endings">,
): SessionHit {
  const {
    now: _,
    isAsAssumed: __,
    total: ___,
    at: ____,
    ...record
  } = row as typeof row & Counted & { at: Date };
  const act =
    actReason === null ? undefined : { reason: actReason, actorId: actActorId, endedAt: actEndedAt };
  return { record: nest(record, moment), act };
}
