import type { Kysely } from "kysely";
import { type CredentialSearch, searchCredentials } from "./machine-credential-search.ts";
import type { Page } from "./page.ts";
import type { Database, PersonalAccessTokenRow } from "./tables.ts";

/** Personal access tokens, of which only digests are stored. */
export class PersonalAccessTokenRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(id: string): Promise<PersonalAccessTokenRow | undefined> {
    return this.#db.selectFrom("personalAccessTokens").selectAll().where("id", "=", id).executeTakeFirst();
  }

  search(search: CredentialSearch): Promise<Page<PersonalAccessTokenRow>> {
    return searchCredentials(this.#db, "personal_access_tokens", search);
  }
}
