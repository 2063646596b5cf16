import type { Kysely } from "kysely";
import type { Database, IdentityProviderRow, IdpIntentRow } from "./tables.ts";

/** Identity providers, the walks to them, and whose accounts there are linked. */
export class IdentityProviderRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** @returns the folded state, removed providers too; undefined if no event was ever stored */
  find(id: string): Promise<IdentityProviderRow | undefined> {
    return this.#db.selectFrom("identityProviders").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** @returns the folded state; undefined if no event was ever stored */
  findIntent(id: string): Promise<IdpIntentRow | undefined> {
    return this.#db.selectFrom("idpIntents").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** @returns the id of the one user the account is linked to */
  async linkedUserId(idpId: string, externalUserId: string): Promise<string | undefined> {
    const link = await this.#db
      .selectFrom("idpLinks")
      .select("userId")
      .where("idpId", "=", idpId)
      .where("externalUserId", "=", externalUserId)
      .executeTakeFirst();
    return link?.userId;
  }
}
