import { type Kysely, sql, type Transaction } from "kysely";
import { ConflictError, sqlState } from "./database-errors.ts";
import {
  type Database,
  type IdentityProviderRow,
  INSTANCE_RESOURCE,
  type InstanceRow,
  type MembershipRow,
  type OrganizationRow,
  type UserRow,
} from "./tables.ts";

/** Of a user only what outlives it: a row may hold a megabyte, and there are many. */
export type RemovableUser = Pick<
  UserRow,
  "id" | "sequence" | "organizationId" | "passwordEpoch" | "sessionEpoch" | "createdAt"
>;

/** An organization and everything that goes with it. */
export type OrganizationContents = {
  /** Undefined if there never was one of that id. */
  organization: OrganizationRow | undefined;
  instance: InstanceRow;
  users: RemovableUser[];
  providers: IdentityProviderRow[];
  /** The users' roles on the instance and on other organizations. */
  memberships: MembershipRow[];
  /** The other organizations among those. */
  others: OrganizationRow[];
  /** Whether the instance has an active owner who does not live here. */
  hasOwnerElsewhere: boolean;
};

/** Serialization failure and deadlock: whoever holds the other lock was faster. */
const LOST_RACES = new Set(["40001", "40P01"]);

/**
 * Reads an organization with everything in it and holds it still until the work is done: what an append of that size is
 * decided on must not change meanwhile, or in an organization where people sign in all the time it would never get
 * through. Locks are taken in the order appends take them, and nothing is read before all of them are there.
 * @param limit of users; there may be one more among the contents, which says that there are too many
 * @throws ConflictError if it is to be tried again
 */
export async function withOrganizationHeld<T>(
  db: Kysely<Database>,
  organizationId: string,
  limit: number,
  work: (contents: OrganizationContents, trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  try {
    return await db.transaction().execute(async (trx) => {
      await sql`SELECT FROM users WHERE organization_id = ${organizationId} AND status <> 'removed'
        ORDER BY id LIMIT ${limit + 1} FOR NO KEY UPDATE`.execute(trx);
      await sql`SELECT FROM identity_providers WHERE organization_id = ${organizationId} AND status <> 'removed'
        ORDER BY id FOR NO KEY UPDATE`.execute(trx);
      // Nobody is given a role without a lock on the user, so from here on there are no more of them.
      await sql`SELECT FROM organizations WHERE id = ${organizationId} OR id IN (
          SELECT m.resource_id FROM memberships m JOIN users u ON u.id = m.user_id
          WHERE u.organization_id = ${organizationId})
        ORDER BY id FOR NO KEY UPDATE`.execute(trx);
      await sql`SELECT FROM instances FOR NO KEY UPDATE`.execute(trx);
      return work(await contentsOf(trx, organizationId, limit), trx);
    });
  } catch (error) {
    if (LOST_RACES.has(sqlState(error) ?? "")) throw new ConflictError("the organization is being changed");
    throw error;
  }
}

async function contentsOf(
  trx: Transaction<Database>,
  organizationId: string,
  limit: number,
): Promise<OrganizationContents> {
  // Locked once more: whoever was added while the first locks were taken is among them now.
  const users = await trx
    .selectFrom("users")
    .select(["id", "sequence", "organizationId", "passwordEpoch", "sessionEpoch", "createdAt"])
    .where("organizationId", "=", organizationId)
    .where("status", "!=", "removed")
    .orderBy("id")
    .limit(limit + 1)
    .forNoKeyUpdate()
    .execute();
  const providers = await trx
    .selectFrom("identityProviders")
    .selectAll()
    .where("organizationId", "=", organizationId)
    .where("status", "!=", "removed")
    .orderBy("id")
    .forNoKeyUpdate()
    .execute();
  const memberships = await trx
    .selectFrom("memberships as m")
    .innerJoin("users as u", "u.id", "m.userId")
    .selectAll("m")
    .where("u.organizationId", "=", organizationId)
    .where("m.resourceId", "!=", organizationId)
    .orderBy("m.userId")
    .execute();
  const places = [organizationId, ...memberships.map(({ resourceId }) => resourceId)];
  const organizations = await trx
    .selectFrom("organizations")
    .selectAll()
    .where("id", "in", [...new Set(places)])
    .execute();
  const owner = await trx
    .selectFrom("memberships as m")
    .innerJoin("users as u", "u.id", "m.userId")
    .select("m.userId")
    .where("m.resourceId", "=", INSTANCE_RESOURCE)
    .where(sql<boolean>`m.roles @> '["IAM_OWNER"]'`)
    .where("u.status", "=", "active")
    .where("u.organizationId", "!=", organizationId)
    .limit(1)
    .executeTakeFirst();
  return {
    organization: organizations.find(({ id }) => id === organizationId),
    instance: await trx.selectFrom("instances").selectAll().executeTakeFirstOrThrow(),
    users,
    providers,
    memberships,
    others: organizations.filter(({ id, status }) => id !== organizationId && status !== "removed"),
    hasOwnerElsewhere: owner !== undefined,
  };
}
