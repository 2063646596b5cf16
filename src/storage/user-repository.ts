import { CompiledQuery, type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import {
  allOf,
  type Condition,
  conditionSql,
  inSql,
  type Sql,
  type TextMatch,
  textSql,
} from "./conditions.ts";
import type { Concurrency, SessionSettings, StoredSessionSettings } from "./instance-settings.ts";
import { KEYS, named } from "./named-statements.ts";
import { type Page, type PageRange, selectPage } from "./page.ts";
import { selectList } from "./row-table.ts";
import { type Database, type UserRow, type UserStatus, userTable } from "./tables.ts";

export type UserText =
  | "username"
  | "givenName"
  | "familyName"
  | "nickName"
  | "displayName"
  | "email"
  | "phone";

/** One condition on the users of a list. */
export type UserCondition =
  | { by: "text"; field: UserText; match: TextMatch }
  | { by: "status"; status: UserStatus }
  | { by: "type"; type: UserRow["type"] }
  | { by: "ids"; ids: readonly string[] }
  | { by: "emails"; emails: readonly string[] }
  | { by: "organizationId"; id: string }
  | { by: "metadataKey"; match: TextMatch };

export type UserSort = "createdAt" | "status" | "type" | Exclude<UserText, "phone">;

/** The users a reader may see: every one, or the reader's own and those of organizations. */
export type UserVisibility = "everything" | { userId: string; organizationIds: readonly string[] };

export type UserSearch = PageRange & {
  /** All of them must hold. */
  conditions: readonly Condition<UserCondition>[];
  visibility: UserVisibility;
  sort: UserSort;
};

/** A user and the settings its sessions are under, of one moment. */
export type UserOfSessions = { user: UserRow; settings: StoredSessionSettings };

type SettingsColumns = {
  sessionSettings: SessionSettings | null;
  organizationConcurrency: Concurrency | null;
};

/** The user read model: the folded states. */
export class UserRepository {
  readonly #db: Kysely<Database>;
  readonly #byId: BatchLoader<string, UserRow>;
  readonly #byLoginName: BatchLoader<string, UserRow>;
  readonly #ofSessionsById: BatchLoader<string, UserOfSessions>;
  readonly #ofSessionsByLoginName: BatchLoader<string, UserOfSessions>;

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    this.#db = db;
    const raw = db.withoutPlugins();
    const loader = <R>(text: string, keyOf: (row: R) => string) => {
      const query = named(text);
      return async (keys: string[]) => {
        const { rows } = await raw.executeQuery<R>(CompiledQuery.raw(query, [keys]));
        return new Map(rows.map((row) => [keyOf(row), row]));
      };
    };
    const plain = (column: string, keyOf: (user: UserRow) => string) =>
      new BatchLoader<string, UserRow>(
        loader(`SELECT ${userColumns} FROM users u WHERE u.${column} = ANY(${KEYS})`, keyOf),
        { lanes },
      );
    const ofSessions = (column: string, keyOf: (user: UserRow) => string) => {
      const load = loader<UserRow & SettingsColumns>(
        `SELECT ${userColumns}, i.settings->'session' AS "sessionSettings", o.concurrency AS "organizationConcurrency"
FROM users u CROSS JOIN instances i LEFT JOIN organizations o ON o.id = u.organization_id
WHERE u.${column} = ANY(${KEYS})`,
        keyOf,
      );
      return new BatchLoader<string, UserOfSessions>(
        async (keys) => new Map([...(await load(keys))].map(([key, row]) => [key, withSettings(row)])),
        { lanes },
      );
    };
    this.#byId = plain("id", ({ id }) => id);
    this.#byLoginName = plain("username_key", ({ usernameKey }) => usernameKey!);
    this.#ofSessionsById = ofSessions("id", ({ id }) => id);
    this.#ofSessionsByLoginName = ofSessions("username_key", ({ usernameKey }) => usernameKey!);
  }

  /** @returns the user's folded state, removed users too; undefined if no event was ever stored */
  find(id: string): Promise<UserRow | undefined> {
    return this.#byId.load(id);
  }

  /** @param key the login name in the form of `loginNameKey` */
  findByLoginName(key: string): Promise<UserRow | undefined> {
    return this.#byLoginName.load(key);
  }

  /** The same, with the settings of the user's sessions. */
  findOfSessions(id: string): Promise<UserOfSessions | undefined> {
    return this.#ofSessionsById.load(id);
  }

  /** @param key see {@link findByLoginName} */
  findOfSessionsByLoginName(key: string): Promise<UserOfSessions | undefined> {
    return this.#ofSessionsByLoginName.load(key);
  }

  /** A page of users that were not removed, with the exact number of all matches; users that sort alike, by id. */
  search({ conditions, visibility, sort, ...range }: UserSearch): Promise<Page<UserRow>> {
    return selectPage<UserRow>(
      this.#db,
      {
        columns: sql`u.*`,
        from: sql`users u`,
        where: allOf([
          sql<SqlBool>`u.status <> 'removed'`,
          visibleSql(visibility),
          ...conditions.map((condition) => conditionSql(condition, userSql)),
        ]),
        orderBy: [sortSql[sort], sql`u.id`],
      },
      range,
    );
  }
}

const userColumns = selectList(userTable, "u");

function withSettings(row: UserRow & SettingsColumns): UserOfSessions {
  const { sessionSettings, organizationConcurrency, ...user } = row;
  return { user, settings: { session: sessionSettings, concurrency: organizationConcurrency } };
}

/** Which users may be seen; `u` is the table of users. */
export function visibleSql(visibility: UserVisibility): Sql {
  if (visibility === "everything") return sql<SqlBool>`true`;
  const { userId, organizationIds } = visibility;
  return sql<SqlBool>`(u.id = ${userId} OR ${inSql(sql`u.organization_id`, organizationIds)})`;
}

const texts: { readonly [field in UserText]: RawBuilder<string> } = {
  username: sql`u.username`,
  givenName: sql`coalesce(u.given_name, '')`,
  familyName: sql`coalesce(u.family_name, '')`,
  nickName: sql`coalesce(u.nick_name, '')`,
  displayName: sql`coalesce(u.display_name, '')`,
  email: sql`coalesce(u.email, '')`,
  phone: sql`coalesce(u.phone, '')`,
};

/** Texts sort whatever their case; states and types in the order the contract numbers them. */
const sortSql: { readonly [sort in UserSort]: RawBuilder<unknown> } = {
  createdAt: sql`u.created_at`,
  status: sql`CASE u.status WHEN 'active' THEN 1 WHEN 'inactive' THEN 2 ELSE 4 END`,
  type: sql`CASE u.type WHEN 'human' THEN 1 ELSE 2 END`,
  username: sql`lower(${texts.username})`,
  givenName: sql`lower(${texts.givenName})`,
  familyName: sql`lower(${texts.familyName})`,
  nickName: sql`lower(${texts.nickName})`,
  displayName: sql`lower(${texts.displayName})`,
  email: sql`lower(${texts.email})`,
};

function userSql(condition: UserCondition): Sql {
  switch (condition.by) {
    case "text":
      return userTextSql(condition.field, condition.match);
    case "status":
      return sql<SqlBool>`u.status = ${condition.status}`;
    case "type":
      return sql<SqlBool>`u.type = ${condition.type}`;
    case "ids":
      return inSql(sql`u.id`, condition.ids);
    case "emails":
      return inSql(texts.email, condition.emails);
    case "organizationId":
      return sql<SqlBool>`u.organization_id = ${condition.id}`;
    case "metadataKey":
      return sql<SqlBool>`EXISTS (SELECT FROM jsonb_object_keys(u.metadata) AS k(key) WHERE ${textSql(sql`k.key`, condition.match)})`;
    default:
      return condition satisfies never;
  }
}

function userTextSql(field: UserText, match: TextMatch): Sql {
  if (field !== "username" || match.method !== "equals") return textSql(texts[field], match);
  // The unique key, the name in lower case, is what has an index; users without one are removed and not listed.
  const byKey = sql<SqlBool>`coalesce(u.username_key, '') = ${match.text.toLowerCase()}`;
  return match.ignoreCase ? byKey : allOf([byKey, textSql(texts.username, match)]);
}
