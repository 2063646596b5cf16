import { CompiledQuery, type Kysely } from "kysely";
import { BatchLoader } from "./batch-loader.ts";
import type { InstanceSettings } from "./instance-settings.ts";
import { KEYS, named } from "./named-statements.ts";
import type { Database, UserRow, UserStatus } from "./tables.ts";

/** Roles on one resource, see `MembershipRow`. */
export type StoredMembership = { resourceId: string; roles: string[] };

/** A credential of a service account with the user behind it, as of now by the database's clock. */
export type CredentialOwner = {
  userId: string;
  organizationId: string;
  userStatus: UserStatus;
  /** See `UserRow.sessionEpoch`. */
  userEpoch: number;
  expired: boolean;
  memberships: StoredMembership[];
};

/** What is to be known of the user behind a session token, beside the session. */
export type SessionBearer = {
  userType: UserRow["type"];
  /** Whether the user has set this second factor up. */
  totp: boolean;
  u2f: boolean;
  otpSms: boolean;
  otpEmail: boolean;
  /** The instance's. */
  settings: InstanceSettings;
  memberships: StoredMembership[];
};

const memberships = `coalesce((SELECT jsonb_agg(jsonb_build_object('resourceId', m.resource_id, 'roles', m.roles))
  FROM memberships m WHERE m.user_id = u.id), '[]'::jsonb) AS memberships`;

const owner = `u.id AS "userId", u.organization_id AS "organizationId", u.status AS "userStatus",
  u.session_epoch AS "userEpoch", ${memberships}`;

const expired = `coalesce(t.expires_at < clock_timestamp(), false) AS expired`;

const byTokenDigests = named(`SELECT t.digest AS key, ${owner}, ${expired}
FROM personal_access_tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = ANY(${KEYS})`);

const byKeyIds = named(`SELECT t.id AS key, ${owner}, ${expired}
FROM machine_keys t JOIN users u ON u.id = t.user_id WHERE t.id = ANY(${KEYS})`);

const bySecretOwners =
  named(`SELECT u.id AS key, ${owner}, false AS expired, u.client_secret->>'id' AS "secretId"
FROM users u WHERE u.id = ANY(${KEYS})`);

const bySessionUsers = named(`SELECT u.id AS key, u.type AS "userType",
  coalesce((u.totp->'ready')::boolean, false) AS totp, u.otp_sms AS "otpSms", u.otp_email AS "otpEmail",
  jsonb_path_exists(u.web_auth_n, '$[*] ? (@.kind == "u2f" && @.pending == null)') AS u2f,
  coalesce((SELECT i.settings FROM instances i LIMIT 1), '{}'::jsonb) AS settings, ${memberships}
FROM users u WHERE u.id = ANY(${KEYS})`);

/** Who stands behind a credential, and what they may do. Never cached: a removed role is gone with its commit. */
export class CallerRepository {
  readonly #tokenOwners: BatchLoader<string, CredentialOwner>;
  readonly #keyOwners: BatchLoader<string, CredentialOwner>;
  readonly #secretOwners: BatchLoader<string, CredentialOwner & { secretId: string | null }>;
  readonly #sessionBearers: BatchLoader<string, SessionBearer>;
  readonly #organizations: BatchLoader<string, true>;

  constructor(db: Kysely<Database>, { lanes = 2 }: { lanes?: number } = {}) {
    const raw = db.withoutPlugins();
    const loader = <R extends object>(query: string) =>
      new BatchLoader<string, R>(
        async (keys) => {
          const { rows } = await raw.executeQuery<R & { key: string }>(CompiledQuery.raw(query, [keys]));
          return new Map(rows.map((row) => [row.key, row]));
        },
        { lanes },
      );
    this.#tokenOwners = loader(byTokenDigests);
    this.#keyOwners = loader(byKeyIds);
    this.#secretOwners = loader(bySecretOwners);
    this.#sessionBearers = loader(bySessionUsers);
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
  tokenOwner(digest: string): Promise<CredentialOwner | undefined> {
    return this.#tokenOwners.load(digest);
  }

  /** @param keyId of a machine key */
  keyOwner(keyId: string): Promise<CredentialOwner | undefined> {
    return this.#keyOwners.load(keyId);
  }

  /** @returns the user, if this is the id of its client secret */
  async secretOwner(userId: string, secretId: string): Promise<CredentialOwner | undefined> {
    const found = await this.#secretOwners.load(userId);
    return found?.secretId === secretId ? found : undefined;
  }

  sessionBearer(userId: string): Promise<SessionBearer | undefined> {
    return this.#sessionBearers.load(userId);
  }

  async organizationExists(id: string): Promise<boolean> {
    return (await this.#organizations.load(id)) ?? false;
  }
}
