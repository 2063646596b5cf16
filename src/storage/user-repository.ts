import { CompiledQuery, type Kysely } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import { selectList } from "./row-table.ts";
import { type Database, type UserRow, userTable } from "./tables.ts";

/** The user read model: the folded states. */
export class UserRepository {
  readonly #byId: BatchLoader<string, UserRow>;
  readonly #byLoginName: BatchLoader<string, UserRow>;

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    const raw = db.withoutPlugins();
    const loader = (column: string, keyOf: (row: UserRow) => string) => {
      const query = `SELECT ${selectList(userTable, "u")} FROM users u WHERE u.${column} = ANY($1::text[])`;
      return new BatchLoader<string, UserRow>(
        async (keys) => {
          const { rows } = await raw.executeQuery<UserRow>(CompiledQuery.raw(query, [keys]));
          return new Map(rows.map((row) => [keyOf(row), row]));
        },
        { lanes },
      );
    };
    this.#byId = loader("id", (row) => row.id);
    this.#byLoginName = loader("username_key", (row) => row.usernameKey!);
  }

  /** @returns the user's folded state, removed users too; undefined if no event was ever stored */
  find(id: string): Promise<UserRow | undefined> {
    return this.#byId.load(id);
  }

  /** @param key the login name in the form of `loginNameKey` */
  findByLoginName(key: string): Promise<UserRow | undefined> {
    return this.#byLoginName.load(key);
  }
}
