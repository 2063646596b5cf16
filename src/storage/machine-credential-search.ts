import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { allOf, type Comparison, type Sql, timeSql } from "./conditions.ts";
import { type Page, type PageRange, selectPage } from "./page.ts";
import type { Database, MachineKeyRow, PersonalAccessTokenRow } from "./tables.ts";
import { type UserVisibility, visibleSql } from "./user-repository.ts";

/** One condition on the tokens, or on the keys, of a list. */
export type CredentialCondition =
  | { by: "id" | "userId" | "organizationId"; id: string }
  | { by: "createdAt" | "expiresAt"; comparison: Comparison; at: Date };

export type CredentialSort = "createdAt" | "id" | "userId" | "organizationId" | "expiresAt";

export type CredentialSearch = PageRange & {
  /** All of them must hold. */
  conditions: readonly CredentialCondition[];
  /** Of the users they belong to. */
  visibility: UserVisibility;
  sort: CredentialSort;
};

/** What service accounts have several of, by table; both are looked for alike. */
type Credentials = { personal_access_tokens: PersonalAccessTokenRow; machine_keys: MachineKeyRow };

/** A page of tokens or of keys, expired ones too, with the exact number of all matches; what sorts alike, by id. */
export function searchCredentials<Table extends keyof Credentials>(
  db: Kysely<Database>,
  table: Table,
  { conditions, visibility, sort, ...range }: CredentialSearch,
): Promise<Page<Credentials[Table]>> {
  return selectPage<Credentials[Table]>(
    db,
    {
      columns: sql`t.*`,
      from: sql`${sql.table(table)} t JOIN users u ON u.id = t.user_id`,
      where: allOf([visibleSql(visibility), ...conditions.map(conditionSql)]),
      orderBy: [columns[sort], columns.id],
    },
    range,
  );
}

const columns: { readonly [sort in CredentialSort]: RawBuilder<unknown> } = {
  createdAt: sql`t.created_at`,
  id: sql`t.id`,
  userId: sql`t.user_id`,
  organizationId: sql`t.organization_id`,
  // What never expires does so after everything else.
  expiresAt: sql`coalesce(t.expires_at, 'infinity')`,
};

function conditionSql(condition: CredentialCondition): Sql {
  return "id" in condition
    ? sql<SqlBool>`${columns[condition.by]} = ${condition.id}`
    : timeSql(columns[condition.by], condition.comparison, condition.at);
}
