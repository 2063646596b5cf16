import { CompiledQuery, type Kysely } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import { KEYS, named } from "./named-statements.ts";
import type { Database, UserStatus } from "./tables.ts";

/** Roles on one resource, see `MembershipRow`. */
export type StoredMembership = { resourceId: string; roles: string[] };

/** A personal access token with the user behind it, as of now by the database's clock. */
export type TokenOwner = {
  userId: string;
  organizationId: string;
  userStatus: UserStatus;
  expired: boolean;
  memberships: StoredMembership[];
};

const memberships = `coalesce((SELECT jsonb_agg(jsonb_build_object('resourceId', m.resource_id, 'roles', m.roles))
  FROM memberships m WHERE m.user_id = u.id), '[]'::jsonb) AS memberships`;

const byDigests =
  named(`SELECT t.digest, u.id AS "userId", u.organization_id AS "organizationId", u.status AS "userStatus",
  coalesce(t.expires_at < clock_timestamp(), false) AS expired, ${memberships}
FROM personal_access_tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = ANY(${KEYS})`);

const byUserIds = named(`SELECT u.id AS "userId", ${memberships} FROM users u WHERE u.id = ANY(${KEYS})`);

/** Who stands behind a credential, and what they may do. Never cached: a removed role is gone with its commit. */
export class CallerRepository {
  readonly #owners: BatchLoader<string, TokenOwner>;
  readonly #memberships: BatchLoader<string, StoredMembership[]>;
  readonly #organizations: BatchLoader<string, true>;

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    const raw = db.withoutPlugins();
    this.#owners = new BatchLoader(
      async (digests) => {
        const { rows } = await raw.executeQuery<TokenOwner & { digest: string }>(
          CompiledQuery.raw(byDigests, [digests]),
        );
        return new Map(rows.map(({ digest, ...owner }) => [digest, owner]));
      },
      { lanes },
    );
    this.#memberships = new BatchLoader(
      async (userIds) => {
        const { rows } = await raw.executeQuery<{ userId: string; memberships: StoredMembership[] }>(
          CompiledQuery.raw(byUserIds, [userIds]),
        );
        return new Map(rows.map((row) => [row.userId, row.memberships]));
      },
      { lanes },
    );
    this.#organizations = new BatchLoader(
      async (ids) => {
        const rows = await db
          .selectFrom("organizations")
          .select("id")
          .where("id", "in", ids)
          .where("status", "!=", "removed")
          .execute();
        return new Map(rows.map(({ id }) => [id, true]));
      },
      { lanes },
    );
  }

  /** @param digest SHA-256 of the token text, base64url */
  tokenOwner(digest: string): Promise<TokenOwner | undefined> {
    return this.#owners.load(digest);
  }

  async memberships(userId: string): Promise<StoredMembership[]> {
    return (await this.#memberships.load(userId)) ?? [];
  }

  async organizationExists(id: string): Promise<boolean> {
    return (await this.#organizations.load(id)) ?? false;
  }
}
