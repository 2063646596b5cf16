import {
  CompiledQuery,
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SqlBool,
  sql,
} from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import { KEYS, named } from "./named-statements.ts";
import { selectList } from "./row-table.ts";
import { type Database, type SessionRow, sessionTable, type UserStatus } from "./tables.ts";

/** What a session shows of its user, and what the user's state does to it. */
export type SessionUser = {
  status: UserStatus;
  sessionEpoch: number;
  passwordEpoch: number;
  loginName: string;
  displayName: string;
};

/** A session and its user, read in one snapshot. */
export type SessionRecord = {
  session: SessionRow;
  user: SessionUser | null;
  /** The database's clock at the read. */
  now: Date;
};

export type Comparison = "=" | ">" | ">=" | "<" | "<=";

/** One condition of a list; all of them must hold. */
export type SessionFilter =
  | { by: "ids"; ids: readonly string[] }
  | { by: "userId"; id: string }
  | { by: "createdAt"; comparison: Comparison; at: Date }
  | { by: "creatorId"; id: string }
  | { by: "fingerprintId"; id: string }
  | { by: "expiresAt"; comparison: Comparison; at: Date };

/** The rows a reader may see: every one, or the reader's own, those the reader made, and those of organizations. */
export type Visibility =
  | "everything"
  | { userId: string; agentId: string | undefined; organizationIds: readonly string[] };

export type SessionSearch = {
  filters: readonly SessionFilter[];
  visibility: Visibility;
  offset: number;
  limit: number;
  ascending: boolean;
};

export type SessionPage = { records: SessionRecord[]; total: number; now: Date };

type FlatRecord = SessionRow & {
  userStatus: UserStatus | null;
  userSessionEpoch: number;
  userPasswordEpoch: number;
  userLoginName: string;
  userDisplayName: string | null;
  now: Date;
};

const userColumns = `u.status AS "userStatus", u.session_epoch AS "userSessionEpoch", u.password_epoch AS "userPasswordEpoch",
u.username AS "userLoginName", u.display_name AS "userDisplayName"`;

const byIds = named(`SELECT ${selectList(sessionTable, "s")}, ${userColumns}, clock_timestamp() AS now
FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = ANY(${KEYS})`);

/** The session read model. Reads see every acknowledged write: there is no cache and no replica. */
export class SessionRepository {
  readonly #db: Kysely<Database>;
  readonly #records: BatchLoader<string, SessionRecord>;

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    this.#db = db;
    const raw = db.withoutPlugins();
    this.#records = new BatchLoader(
      async (ids) => {
        const { rows } = await raw.executeQuery<FlatRecord>(CompiledQuery.raw(byIds, [ids]));
        return new Map(rows.map((row) => [row.id, nest(row)]));
      },
      { lanes },
    );
  }

  /** @returns the session as stored, ended ones too; undefined if there never was one of that id */
  find(id: string): Promise<SessionRecord | undefined> {
    return this.#records.load(id);
  }

  /**
   * A page of sessions that have not ended, expired ones included, ordered by creation date and id, with the exact
   * number of all matches. Count and page come from one statement.
   */
  async search({ filters, visibility, offset, limit, ascending }: SessionSearch): Promise<SessionPage> {
    const matching = this.#db
      .selectFrom("sessions as s")
      .leftJoin("users as u", "u.id", "s.userId")
      .where("s.status", "=", "active")
      .where((eb) => eb.or([eb("s.userId", "is", null), eb("s.userEpoch", "=", eb.ref("u.sessionEpoch"))]))
      .where((eb) => visible(eb, visibility))
      .where((eb) => eb.and(filters.map((filter) => condition(eb, filter))));
    const direction = ascending ? "asc" : "desc";
    const page = matching
      .selectAll("s")
      .select([
        "u.status as userStatus",
        "u.sessionEpoch as userSessionEpoch",
        "u.passwordEpoch as userPasswordEpoch",
        "u.username as userLoginName",
        "u.displayName as userDisplayName",
      ])
      .orderBy("s.createdAt", direction)
      .orderBy("s.id", direction)
      .limit(limit)
      .offset(offset);
    const rows = await this.#db
      .selectFrom(matching.select((eb) => eb.fn.countAll<number>().as("total")).as("c"))
      .leftJoin(page.as("p"), (join) => join.onTrue())
      .selectAll("p")
      .select(["c.total", sql<Date>`clock_timestamp()`.as("now")])
      .orderBy("p.createdAt", direction)
      .orderBy("p.id", direction)
      .execute();
    const { total, now } = rows[0]!;
    return {
      total: Number(total),
      now,
      records: rows.filter((row) => row.id !== null).map((row) => nest(row as unknown as FlatRecord)),
    };
  }
}

type SessionExpressions = ExpressionBuilder<{ s: SessionRow; u: { sessionEpoch: number | null } }, "s" | "u">;

function visible(builder: unknown, visibility: Visibility): Expression<SqlBool> {
  const eb = builder as SessionExpressions;
  if (visibility === "everything") return eb.lit(true);
  const { userId, agentId, organizationIds } = visibility;
  return eb.or([
    eb("s.creatorId", "=", userId),
    eb("s.userId", "=", userId),
    ...(agentId === undefined ? [] : [eb("s.fingerprintId", "=", agentId)]),
    ...(organizationIds.length === 0 ? [] : [eb("s.userOrganizationId", "in", [...organizationIds])]),
  ]);
}

function condition(builder: unknown, filter: SessionFilter): Expression<SqlBool> {
  const eb = builder as SessionExpressions;
  switch (filter.by) {
    case "ids":
      return sql<SqlBool>`s.id = ANY(${[...filter.ids]}::text[])`;
    case "userId":
      return eb("s.userId", "=", filter.id);
    case "creatorId":
      return eb("s.creatorId", "=", filter.id);
    case "fingerprintId":
      return eb("s.fingerprintId", "=", filter.id);
    case "createdAt":
      return eb("s.createdAt", filter.comparison, filter.at);
    case "expiresAt": {
      const matches = eb("s.expiresAt", filter.comparison, filter.at);
      // A session without expiration is later than any date.
      return filter.comparison.startsWith(">") ? eb.or([matches, eb("s.expiresAt", "is", null)]) : matches;
    }
    default:
      return filter satisfies never;
  }
}

function nest(row: FlatRecord): SessionRecord {
  const { userStatus, userSessionEpoch, userPasswordEpoch, userLoginName, userDisplayName, now, ...session } =
    row;
  return {
    session,
    now,
    user:
      userStatus === null
        ? null
        : {
            status: userStatus,
            sessionEpoch: userSessionEpoch,
            passwordEpoch: userPasswordEpoch,
            loginName: userLoginName,
            displayName: userDisplayName ?? "",
          },
  };
}
