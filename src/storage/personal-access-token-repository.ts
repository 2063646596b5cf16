import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, type Comparison, type Sql, timeSql } from "./conditions.ts";
import { type Page, type PageRange, selectPage } from "./page.ts";
import type { Database, PersonalAccessTokenRow } from "./tables.ts";
import { type UserVisibility, visibleSql } from "./user-repository.ts";

/** One condition on the tokens of a list. */
export type TokenCondition =
  | { by: "id" | "userId" | "organizationId"; id: string }
  | { by: "createdAt" | "expiresAt"; comparison: Comparison; at: Date };

export type TokenSort = "createdAt" | "id" | "userId" | "organizationId" | "expiresAt";

export type TokenSearch = PageRange & {
  /** All of them must hold. */
  conditions: readonly TokenCondition[];
  /** Of the users the tokens belong to. */
  visibility: UserVisibility;
  sort: TokenSort;
};

/** Personal access tokens, of which only digests are stored. */
export class PersonalAccessTokenRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(id: string): Promise<PersonalAccessTokenRow | undefined> {
    return this.#db.selectFrom("personalAccessTokens").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** A page of tokens, expired ones too, with the exact number of all matches; tokens that sort alike, by id. */
  search({ conditions, visibility, sort, ...range }: TokenSearch): Promise<Page<PersonalAccessTokenRow>> {
    return selectPage<PersonalAccessTokenRow>(
      this.#db,
      {
        columns: sql`t.*`,
        from: sql`personal_access_tokens t JOIN users u ON u.id = t.user_id`,
        where: allOf([visibleSql(visibility), ...conditions.map(tokenSql)]),
        orderBy: [columns[sort], columns.id],
      },
      range,
    );
  }
}

const columns: { readonly [sort in TokenSort]: RawBuilder<unknown> } = {
  createdAt: sql`t.created_at`,
  id: sql`t.id`,
  userId: sql`t.user_id`,
  organizationId: sql`t.organization_id`,
  // A token that never expires does so after every other.
  expiresAt: sql`coalesce(t.expires_at, 'infinity')`,
};

function tokenSql(condition: TokenCondition): Sql {
  return "id" in condition
    ? sql<SqlBool>`${columns[condition.by]} = ${condition.id}`
    : timeSql(columns[condition.by], condition.comparison, condition.at);
}
