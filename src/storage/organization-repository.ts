import { CompiledQuery, type Kysely, type SqlBool, sql, type Transaction } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import { allOf, inSql, type Sql, type TextMatch, textSql } from "./conditions.ts";
import type { StoredSessionSettings } from "./instance-settings.ts";
import { KEYS, named } from "./named-statements.ts";
import { type OrganizationContents, withOrganizationHeld } from "./organization-removal.ts";
import { type Page, type PageRange, selectPage } from "./page.ts";
import type { Database, IdentityProviderRow, InstanceRow, MembershipRow, OrganizationRow } from "./tables.ts";

/** One condition on the organizations of a list. */
export type OrganizationCondition =
  | { by: "name" | "domain"; match: TextMatch }
  | { by: "status"; status: OrganizationRow["status"] }
  | { by: "id"; id: string }
  | { by: "default" };

export type OrganizationSort = "createdAt" | "name";

export type OrganizationSearch = PageRange & {
  /** All of them must hold. */
  conditions: readonly OrganizationCondition[];
  /** The organizations the reader may see, by id. */
  visibility: "everything" | readonly string[];
  sort: OrganizationSort;
};

/** Wrong answers in a row that lock a user, for passwords and for each of the other factors that count; 0 = never. */
export type LockoutLimits = { maxPasswordAttempts: number; maxOtpAttempts: number };

const bySessionSettings = named(`SELECT k.key, i.settings->'session' AS session, o.concurrency
FROM unnest(${KEYS}) AS k(key) CROSS JOIN instances i LEFT JOIN organizations o ON o.id = k.key`);

/** Organizations, the instance, and who administers what. */
export class OrganizationRepository {
  readonly #db: Kysely<Database>;
  /** Every key is the one instance: whoever asks at the same time shares the query. */
  readonly #instance: BatchLoader<"instance", InstanceRow>;
  readonly #sessionSettings: BatchLoader<string, StoredSessionSettings>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
    this.#instance = new BatchLoader(async () => {
      const row = await db.selectFrom("instances").selectAll().executeTakeFirst();
      return new Map(row ? [["instance", row]] : []);
    });
    this.#sessionSettings = new BatchLoader<string, StoredSessionSettings>(async (ids) => {
      const { rows } = await db
        .withoutPlugins()
        .executeQuery<StoredSessionSettings & { key: string }>(CompiledQuery.raw(bySessionSettings, [ids]));
      return new Map(rows.map((row) => [row.key, row]));
    });
  }

  /** @returns the folded state, undefined if no event was ever stored */
  find(id: string): Promise<OrganizationRow | undefined> {
    return this.#db.selectFrom("organizations").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** @param organizationId that of no organization: the instance's only */
  async sessionSettings(organizationId: string): Promise<StoredSessionSettings> {
    return (await this.#sessionSettings.load(organizationId))!;
  }

  /** @returns the organization this domain belongs to; of several the oldest */
  findByDomain(domain: string): Promise<OrganizationRow | undefined> {
    return this.#db
      .selectFrom("organizations")
      .selectAll()
      .where("primaryDomain", "=", domain.toLowerCase())
      .where("status", "!=", "removed")
      .orderBy("createdAt")
      .orderBy("id")
      .executeTakeFirst();
  }

  /** See {@link withOrganizationHeld}. */
  held<T>(
    id: string,
    limit: number,
    work: (contents: OrganizationContents, trx: Transaction<Database>) => Promise<T>,
  ): Promise<T> {
    return withOrganizationHeld(this.#db, id, limit, work);
  }

  /** @returns the one instance of this database, undefined before the first start */
  instance(): Promise<InstanceRow | undefined> {
    return this.#instance.load("instance");
  }

  /** @param resourceId see `MembershipRow` */
  membership(userId: string, resourceId: string): Promise<MembershipRow | undefined> {
    return this.#db
      .selectFrom("memberships")
      .selectAll()
      .where("userId", "=", userId)
      .where("resourceId", "=", resourceId)
      .executeTakeFirst();
  }

  membershipsOf(userId: string): Promise<MembershipRow[]> {
    return this.#db.selectFrom("memberships").selectAll().where("userId", "=", userId).execute();
  }

  /** What locks a user of this organization: its own setting, else the instance's. */
  async lockoutLimits(organizationId: string): Promise<LockoutLimits> {
    const row = await this.#db
      .selectFrom("instances as i")
      .leftJoin("organizations as o", (join) => join.on("o.id", "=", organizationId))
      .select((eb) => [
        eb.fn.coalesce("o.maxPasswordAttempts", "i.maxPasswordAttempts").as("maxPasswordAttempts"),
        eb.fn.coalesce("o.maxOtpAttempts", "i.maxOtpAttempts").as("maxOtpAttempts"),
      ])
      .executeTakeFirst();
    return row ?? { maxPasswordAttempts: 0, maxOtpAttempts: 0 };
  }

  /** Those of these identity providers that are active, the oldest first. */
  activeIdentityProviders(ids: readonly string[]): Promise<Page<IdentityProviderRow>> {
    return selectPage<IdentityProviderRow>(
      this.#db,
      {
        columns: sql`p.*`,
        from: sql`identity_providers p`,
        where: allOf([sql<SqlBool>`p.status = 'active'`, inSql(sql`p.id`, ids)]),
        orderBy: [sql`p.created_at`, sql`p.id`],
      },
      { offset: 0, limit: ids.length, ascending: true },
    );
  }

  /** A page of organizations that were not removed, with the exact number of all matches; those that sort alike, by id. */
  search({ conditions, visibility, sort, ...range }: OrganizationSearch): Promise<Page<OrganizationRow>> {
    return selectPage<OrganizationRow>(
      this.#db,
      {
        columns: sql`o.*`,
        from: sql`organizations o`,
        where: allOf([
          sql<SqlBool>`o.status <> 'removed'`,
          ...(visibility === "everything" ? [] : [inSql(sql`o.id`, visibility)]),
          ...conditions.map(organizationSql),
        ]),
        orderBy: [sort === "name" ? sql`lower(o.name)` : sql`o.created_at`, sql`o.id`],
      },
      range,
    );
  }
}

function organizationSql(condition: OrganizationCondition): Sql {
  switch (condition.by) {
    case "name":
      return textSql(sql`o.name`, condition.match);
    case "domain":
      return textSql(sql`o.primary_domain`, condition.match);
    case "status":
      return sql<SqlBool>`o.status = ${condition.status}`;
    case "id":
      return sql<SqlBool>`o.id = ${condition.id}`;
    case "default":
      return sql<SqlBool>`o.id = (SELECT i.default_organization_id FROM instances i)`;
    default:
      return condition satisfies never;
  }
}
