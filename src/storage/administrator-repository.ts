import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import {
  allOf,
  type Comparison,
  type Condition,
  conditionSql,
  inSql,
  type Sql,
  type TextMatch,
  textSql,
  timeSql,
} from "./conditions.ts";
import { type Page, type PageRange, selectPage } from "./page.ts";
import { type Database, INSTANCE_RESOURCE, type MembershipRow } from "./tables.ts";

/** A membership with what is shown of its user and its organization. */
export type AdministratorRow = MembershipRow & {
  username: string;
  displayName: string;
  userOrganizationId: string;
  /** Null on the instance. */
  organizationName: string | null;
};

/** One condition on the administrators of a list. */
export type AdministratorCondition =
  | { by: "createdAt" | "changedAt"; comparison: Comparison; at: Date }
  | { by: "userIds"; ids: readonly string[] }
  | { by: "userOrganizationId"; id: string }
  | { by: "username" | "displayName"; match: TextMatch }
  | { by: "resourceId"; id: string }
  | { by: "role"; role: string };

export type AdministratorSort = "userId" | "createdAt" | "changedAt";

export type AdministratorSearch = PageRange & {
  /** All of them must hold. */
  conditions: readonly Condition<AdministratorCondition>[];
  /** Administrators of which resources the reader may see. */
  visibility: { instance: boolean; organizationIds: "everything" | readonly string[] };
  sort: AdministratorSort;
};

/** Who administers what, as a list. */
export class AdministratorRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** A page with the exact number of all matches; rows that sort alike, by user and resource. */
  search({ conditions, visibility, sort, ...range }: AdministratorSearch): Promise<Page<AdministratorRow>> {
    return selectPage<AdministratorRow>(
      this.#db,
      {
        columns: sql`m.*, u.username, ${columns.displayName} AS display_name,
          u.organization_id AS user_organization_id, o.name AS organization_name`,
        from: sql`memberships m JOIN users u ON u.id = m.user_id AND u.status <> 'removed'
          LEFT JOIN organizations o ON o.id = m.resource_id`,
        where: allOf([
          visibleSql(visibility),
          ...conditions.map((each) => conditionSql(each, administratorSql)),
        ]),
        orderBy: [columns[sort], columns.userId, columns.resourceId],
      },
      range,
    );
  }
}

const columns = {
  userId: sql`m.user_id`,
  resourceId: sql`m.resource_id`,
  createdAt: sql`m.created_at`,
  changedAt: sql`m.changed_at`,
  username: sql`u.username`,
  displayName: sql`coalesce(u.display_name, u.machine_name, '')`,
  userOrganizationId: sql`u.organization_id`,
  roles: sql`m.roles`,
} satisfies Record<string, RawBuilder<unknown>>;

function visibleSql({ instance, organizationIds }: AdministratorSearch["visibility"]): Sql {
  const onInstance = sql<SqlBool>`${columns.resourceId} = ${INSTANCE_RESOURCE}`;
  const onOrganization =
    organizationIds === "everything"
      ? sql<SqlBool>`NOT ${onInstance}`
      : inSql(columns.resourceId, organizationIds);
  return sql<SqlBool>`(${instance ? onInstance : sql`false`} OR ${onOrganization})`;
}

function administratorSql(condition: AdministratorCondition): Sql {
  switch (condition.by) {
    case "createdAt":
    case "changedAt":
      return timeSql(columns[condition.by], condition.comparison, condition.at);
    case "userIds":
      return inSql(columns.userId, condition.ids);
    case "userOrganizationId":
    case "resourceId":
      return sql<SqlBool>`${columns[condition.by]} = ${condition.id}`;
    case "username":
    case "displayName":
      return textSql(columns[condition.by], condition.match);
    case "role":
      return sql<SqlBool>`${columns.roles} @> jsonb_build_array(${condition.role}::text)`;
    default:
      return condition satisfies never;
  }
}
