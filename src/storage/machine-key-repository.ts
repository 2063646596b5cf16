import type { Kysely } from "kysely";
import { type CredentialSearch, searchCredentials } from "./machine-credential-search.ts";
import type { Page } from "./page.ts";
import type { Database, MachineKeyRow } from "./tables.ts";

/** The keys service accounts sign with, of which only the public parts are stored. */
export class MachineKeyRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** @returns the key, expired ones too */
  find(id: string): Promise<MachineKeyRow | undefined> {
    return this.#db.selectFrom("machineKeys").selectAll().where("id", "=", id).executeTakeFirst();
  }

  search(search: CredentialSearch): Promise<Page<MachineKeyRow>> {
    return searchCredentials(this.#db, "machine_keys", search);
  }
}
