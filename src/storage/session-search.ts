import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { type Comparison, type Sql, timeSql } from "./conditions.ts";
import type { SessionFilter, SessionStatus } from "./session-filter.ts";
import { conditionsOf, type ListCondition, listsOf } from "./session-filter-sql.ts";
import { countSql, keysSql, type Selection, type Visibility } from "./session-keys-sql.ts";
import { type FlatRecord, nest, recordColumns } from "./session-record.ts";
import type { SessionRecord } from "./session-repository.ts";
import { type Moment, readMoment } from "./session-standing-sql.ts";
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

type FlatHit = FlatRecord & { actReason: EndReason | null; actActorId: string; actEndedAt: Date };

/** A page and its total, out of one snapshot. */
export function searchSessions(db: Kysely<Database>, search: SessionSearch): Promise<SessionPage> {
  // The embedded database has one connection: nothing comes between there anyway.
  const transaction = db.transaction().setIsolationLevel("repeatable read").setAccessMode("read only");
  return transaction.execute(async (snapshot) => {
    const moment = await readMoment(snapshot);
    const selection = selectionOf(search);
    const { sort, ascending, after, offset = 0, limit } = search;
    const range = { key: keyOf(sort, ascending), ascending, after, offset, limit: limit + 1 };
    const direction = sql.raw(ascending ? "ASC" : "DESC");
    const { rows } = await sql<FlatHit>`
      SELECT ${sql.raw(recordColumns)}, a.reason AS act_reason, a.actor_id AS act_actor_id,
        a.ended_at AS act_ended_at
      FROM (${keysSql(selection, moment, range)}) k JOIN sessions s ON s.id = k.id
      LEFT JOIN users u ON u.id = s.user_id
      LEFT JOIN user_endings a ON a.user_id = s.user_id AND a.epoch = s.user_epoch
      ORDER BY k.at ${direction}, k.id ${direction}`.execute(snapshot);
    const hits = rows.slice(0, limit).map((row) => toHit(row, moment));
    const last = rows.length > limit ? hits.at(-1) : undefined;
    const { total: counted } = search;
    const upTo = counted === "exact" ? undefined : counted;
    return {
      hits,
      next: last && placeOf(last.record.session, search),
      ...(upTo === "none"
        ? { total: undefined, isTotalCapped: false }
        : await countUpTo(snapshot, selection, moment, upTo)),
      now: moment.now,
    };
  });
}

async function countUpTo(
  snapshot: Kysely<Database>,
  selection: Selection,
  moment: Moment,
  upTo: number | undefined,
): Promise<Pick<SessionPage, "total" | "isTotalCapped">> {
  const counted = countSql(selection, moment, upTo === undefined ? undefined : upTo + 1);
  const { rows } = await sql<{ total: number }>`SELECT ${counted} AS total`.execute(snapshot);
  const total = Number(rows[0]!.total);
  return upTo !== undefined && total > upTo
    ? { total: upTo, isTotalCapped: true }
    : { total, isTotalCapped: false };
}

function selectionOf({ filter, criteria = [], visibility }: SessionSearch): Selection {
  const { statuses = ["active", "expired"], reasons } = filter;
  return {
    lists: [...listsOf(filter), ...criteria.flatMap(listOf)],
    conditions: [...conditionsOf(filter), ...criteria.flatMap(conditionOf)],
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
  switch (criterion.by) {
    case "createdAt":
      return [timeSql(sql`s.created_at`, criterion.comparison, criterion.at)];
    case "expiresAt": {
      const matches = timeSql(sql`s.expires_at`, criterion.comparison, criterion.at);
      // A session without expiration is later than any date.
      return [
        criterion.comparison.startsWith(">") ? sql<SqlBool>`(s.expires_at IS NULL OR ${matches})` : matches,
      ];
    }
    default:
      return [];
  }
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

function toHit({ actReason, actActorId, actEndedAt, ...row }: FlatHit, moment: Moment): SessionHit {
  const act =
    actReason === null ? undefined : { reason: actReason, actorId: actActorId, endedAt: actEndedAt };
  return { record: nest(row, moment), act };
}
