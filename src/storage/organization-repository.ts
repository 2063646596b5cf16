import type { Kysely } from "kysely";
import type { Database, InstanceRow, MembershipRow, OrganizationRow } from "./tables.ts";

/** Organizations, the instance, and who administers what. */
export class OrganizationRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** @returns the folded state, undefined if no event was ever stored */
  find(id: string): Promise<OrganizationRow | undefined> {
    return this.#db.selectFrom("organizations").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** @returns the one instance of this database, undefined before the first start */
  instance(): Promise<InstanceRow | undefined> {
    return this.#db.selectFrom("instances").selectAll().executeTakeFirst();
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

  /** Wrong passwords in a row that lock a user of this organization: its own setting, else the instance's; 0 = never. */
  async maxPasswordAttempts(organizationId: string): Promise<number> {
    const row = await this.#db
      .selectFrom("instances as i")
      .leftJoin("organizations as o", (join) => join.on("o.id", "=", organizationId))
      .select((eb) => eb.fn.coalesce("o.maxPasswordAttempts", "i.maxPasswordAttempts").as("max"))
      .executeTakeFirst();
    return Number(row?.max ?? 0);
  }
}
