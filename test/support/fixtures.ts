import { pbkdf2Sync, scryptSync } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { hashSync } from "bcryptjs";
import { inject } from "vitest";
import { personalAccessTokenDigest } from "../../src/auth/personal-access-token.ts";
import type { Config } from "../../src/config.ts";
import { hashPassword } from "../../src/crypto/password-hash.ts";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import type { InstanceEvent, OrganizationEvent } from "../../src/organization/events.ts";
import { instanceAggregate } from "../../src/organization/instance.ts";
import { organizationAggregate } from "../../src/organization/organization.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import { projections } from "../../src/projections/projections.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../src/server.ts";
import { type AggregateType, change, type Recorded } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import type { SessionSettings } from "../../src/storage/instance-settings.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { INSTANCE_RESOURCE, type UserRow } from "../../src/storage/tables.ts";
import { UserRepository } from "../../src/storage/user-repository.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { type SessionClient, sessionClient } from "./clients.ts";
import { createTestDatabase, type Engine } from "./databases.ts";
import { ADMIN_TOKEN, testConfig } from "./test-config.ts";
import { expectRowsToMatchTheLog } from "./test-server.ts";

/** The password of everybody who has one. */
export const PASSWORD = "Correct-Horse-7";
export const WRONG_PASSWORD = "Wrong-Horse-8";

/** A machine user with a personal access token. */
export type Machine = { id: string; token: string };

export type Human = { id: string; loginName: string; displayName: string; organizationId: string };

export type Organization = { id: string };

/** Who and what is there in every house. People live in the default organization unless it says otherwise. */
export type Cast = {
  instanceId: string;
  /** The default organization. */
  home: Organization;
  elsewhere: Organization;
  /** Two wrong passwords lock a user of it. */
  strict: Organization;

  /** IAM_OWNER */
  owner: Machine;
  /** IAM_LOGIN_CLIENT */
  loginClient: Machine;
  /** IAM_LOGIN_CLIENT, to lose the role in a test */
  leaver: Machine;
  /** IAM_OWNER_VIEWER */
  viewer: Machine;
  /** IAM_USER_MANAGER */
  userManager: Machine;
  /** ORG_OWNER at home */
  orgOwner: Machine;
  /** ORG_USER_MANAGER at home */
  orgUserManager: Machine;
  /** ORG_USER_PERMISSION_EDITOR at home: a member without any permission on sessions */
  permissionEditor: Machine;
  /** ORG_OWNER elsewhere */
  otherOrgOwner: Machine;
  /** no role */
  nobody: Machine;
  /** IAM_OWNER whose token expired long ago */
  expired: Machine;
  /** IAM_OWNER who is locked */
  lockedOwner: Machine;

  mia: Human;
  noah: Human;
  /** For wrong passwords: nobody else counts on this one's attempts. */
  zoe: Human;
  /** lives elsewhere */
  otto: Human;
  /** lives in the strict organization */
  lea: Human;
  /** lives in the strict organization */
  tim: Human;
  locked: Human;
  inactive: Human;
  /** No password at all. */
  passwordless: Human;
  /** Whose password hash came from elsewhere, by its kind. */
  imported: Readonly<Record<"bcrypt" | "scrypt" | "pbkdf2" | "argon2id", Human>>;
};

/** Creates the cast's events; the server is not running yet. */
export async function createCast(opened: OpenDatabase): Promise<Cast> {
  const events = new EventRepository(opened.db, projections);
  const organizations = new OrganizationRepository(opened.db);
  const instance = (await organizations.instance())!;
  const home = { id: instance.defaultOrganizationId };
  const { userId: ownerId } = await opened.db
    .selectFrom("memberships")
    .selectAll()
    .where("resourceId", "=", INSTANCE_RESOURCE)
    .executeTakeFirstOrThrow();
  const owner = { id: ownerId, token: ADMIN_TOKEN };

  const userChanges: ReturnType<typeof change>[] = [];
  const user = (id: string, ...history: UserEvent[]) => {
    userChanges.push(change(userAggregate, initialUser(id), history, ownerId));
  };
  const machine = (name: string, token: { expiration?: string } = {}, ...later: UserEvent[]): Machine => {
    const id = uuidV7();
    const text = `token-of-${name}-${id}`;
    user(
      id,
      {
        type: "user.machine.added",
        payload: { organizationId: home.id, userName: name, name, accessTokenType: 0 },
      },
      {
        type: "user.pat.added",
        payload: { tokenId: uuidV7(), digest: personalAccessTokenDigest(text), scopes: [], ...token },
      },
      ...later,
    );
    return { id, token: text };
  };
  const human = (
    name: string,
    organizationId: string,
    encodedHash: string | undefined,
    ...later: UserEvent[]
  ) => {
    const id = uuidV7();
    const loginName = `${name}@acme.example`;
    const displayName = `${name} Example`;
    user(
      id,
      {
        type: "user.human.added",
        payload: {
          organizationId,
          userName: loginName,
          firstName: name,
          lastName: "Example",
          displayName,
          email: loginName,
          ...(encodedHash === undefined ? {} : { encodedHash }),
        },
      },
      ...later,
    );
    return { id, loginName, displayName, organizationId };
  };

  const [elsewhere, strict] = [{ id: uuidV7() }, { id: uuidV7() }];
  const hash = hashPassword(PASSWORD);
  const cast: Cast = {
    instanceId: instance.id,
    home,
    elsewhere,
    strict,
    owner,
    loginClient: machine("login-client"),
    leaver: machine("leaver"),
    viewer: machine("viewer"),
    userManager: machine("user-manager"),
    orgOwner: machine("org-owner"),
    orgUserManager: machine("org-user-manager"),
    permissionEditor: machine("permission-editor"),
    otherOrgOwner: machine("other-org-owner"),
    nobody: machine("nobody"),
    expired: machine("expired", { expiration: "2020-01-01T00:00:00Z" }),
    lockedOwner: machine("locked-owner", {}, { type: "user.locked", payload: {} }),
    mia: human("Mia", home.id, hash),
    noah: human("Noah", home.id, hash),
    zoe: human("Zoe", home.id, hash),
    otto: human("Otto", elsewhere.id, hash),
    lea: human("Lea", strict.id, hash),
    tim: human("Tim", strict.id, hash),
    locked: human("Locked", home.id, hash, { type: "user.locked", payload: {} }),
    inactive: human("Inactive", home.id, hash, { type: "user.deactivated", payload: {} }),
    passwordless: human("Passwordless", home.id, undefined),
    imported: {
      bcrypt: human("Bcrypt", home.id, hashSync(PASSWORD, 4)),
      scrypt: human("Scrypt", home.id, cheapScrypt(PASSWORD)),
      pbkdf2: human("Pbkdf2", home.id, cheapPbkdf2(PASSWORD)),
      argon2id: human("Argon2id", home.id, hash),
    },
  };

  const members: [Machine, string][] = [
    [cast.orgOwner, "ORG_OWNER"],
    [cast.orgUserManager, "ORG_USER_MANAGER"],
    [cast.permissionEditor, "ORG_USER_PERMISSION_EDITOR"],
  ];
  const organization = (id: string, name: string, ...more: OrganizationEvent[]) =>
    change(
      organizationAggregate,
      organizationAggregate.initialState(id),
      [{ type: "org.added", payload: { name, primaryDomain: `${name}.localhost` } }, ...more],
      ownerId,
    );
  const administrators: [Machine, string][] = [
    [cast.loginClient, "IAM_LOGIN_CLIENT"],
    [cast.leaver, "IAM_LOGIN_CLIENT"],
    [cast.viewer, "IAM_OWNER_VIEWER"],
    [cast.userManager, "IAM_USER_MANAGER"],
    [cast.expired, "IAM_OWNER"],
    [cast.lockedOwner, "IAM_OWNER"],
  ];
  await events.append([
    ...userChanges,
    organization(elsewhere.id, "elsewhere", {
      type: "org.member.added",
      payload: { userId: cast.otherOrgOwner.id, roles: ["ORG_OWNER"] },
    }),
    organization(strict.id, "strict", {
      type: "org.policy.lockout.added",
      payload: { maxPasswordAttempts: 2 },
    }),
    change(
      organizationAggregate,
      (await organizations.find(home.id))!,
      members.map(([{ id }, role]) => ({
        type: "org.member.added" as const,
        payload: { userId: id, roles: [role] },
      })),
      ownerId,
    ),
    change<typeof instance, InstanceEvent>(
      instanceAggregate,
      instance,
      administrators.map(([{ id }, role]) => ({
        type: "instance.member.added" as const,
        payload: { userId: id, roles: [role] },
      })),
      ownerId,
    ),
  ]);
  return cast;
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");

function cheapScrypt(password: string): string {
  const salt = Buffer.from("salt of the scrypt hash");
  const hash = scryptSync(password, salt, 32, { N: 2 ** 4, r: 8, p: 1 });
  return `$scrypt$ln=4,r=8,p=1$${unpadded(salt)}$${unpadded(hash)}`;
}

function cheapPbkdf2(password: string): string {
  const salt = Buffer.from("salt of the pbkdf2 hash");
  const text = (bytes: Uint8Array) => unpadded(bytes).replaceAll("+", ".");
  return `$pbkdf2-sha256$10$${text(salt)}$${text(pbkdf2Sync(password, salt, 10, 32, "sha256"))}`;
}

/** A server with the cast in it. */
export type House = {
  /** Where it listens now; another place after `operate` on PGlite. */
  readonly url: string;
  cast: Cast;
  /** ZITADEL's client, as one of the cast or with a session token. */
  as(caller: { token: string }): SessionClient;
  /**
   * Does to the database what only its operator can: beside the running server on PostgreSQL, between two runs of it
   * on PGlite, which takes one process at a time.
   */
  operate<T>(task: (database: OpenDatabase) => Promise<T>): Promise<T>;
  /** The same for a task that opens the database by itself, by this configuration. */
  operateOutside<T>(task: (place: Partial<Config>) => Promise<T>): Promise<T>;
  /** Stops the server, proves that every row is what the log says, and removes the database. */
  close(): Promise<void>;
};

export type HouseOptions = { config?: Partial<Config>; server?: ServerOptions };

export async function startHouse(engine: Engine, options: HouseOptions = {}): Promise<House> {
  const database = await createTestDatabase(engine, "inhabited");
  const cast = structuredClone(inject("inhabited")[engine].cast);
  const start = () => startServer(testConfig({ ...database.config, ...options.config }), options.server);
  let server: RunningServer = await start();
  const operateOutside: House["operateOutside"] = async (task) => {
    if (engine === "pglite") await server.close();
    try {
      return await task(database.config);
    } finally {
      if (engine === "pglite") server = await start();
    }
  };

  return {
    get url() {
      return server.url;
    },
    cast,
    as: ({ token }) =>
      new Proxy({} as SessionClient, {
        // Asked anew for every call, since the server may have moved.
        get: (_, method) => sessionClient(server.url, token)[method as keyof SessionClient],
      }),
    operate: (task) =>
      operateOutside(async () => {
        const beside = await database.open();
        try {
          return await task(beside);
        } finally {
          await beside.close();
        }
      }),
    operateOutside,
    async close() {
      await server.close();
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  };
}

/** Appends to a user's history. */
export async function appendToUser(
  { db }: OpenDatabase,
  { id }: { id: string },
  ...history: UserEvent[]
): Promise<void> {
  const user = (await new UserRepository(db).find(id))!;
  await new EventRepository(db, projections).append([change(userAggregate, user, history, "the operator")]);
}

export async function userRow({ db }: OpenDatabase, { id }: { id: string }): Promise<UserRow> {
  return (await new UserRepository(db).find(id))!;
}

/** An aggregate's events, oldest first. */
export function streamOf({ db }: OpenDatabase, type: AggregateType, id: string): Promise<Recorded[]> {
  return new EventRepository(db, projections).readStream(type, id);
}

/** Takes every role on the instance from somebody. */
export async function removeFromInstance({ db }: OpenDatabase, { id }: { id: string }): Promise<void> {
  const instance = (await new OrganizationRepository(db).instance())!;
  await new EventRepository(db, projections).append([
    change<typeof instance, InstanceEvent>(
      instanceAggregate,
      instance,
      [{ type: "instance.member.removed", payload: { userId: id } }],
      "the operator",
    ),
  ]);
}

/** What becomes of sessions from now on, as far as it differs from what it was. */
export async function changeSessionSettings(
  { db }: OpenDatabase,
  changes: Partial<SessionSettings>,
): Promise<void> {
  const instance = (await new OrganizationRepository(db).instance())!;
  const payload = { ...settingsOf(instance).session, ...changes };
  await new EventRepository(db, projections).append([
    change<typeof instance, InstanceEvent>(
      instanceAggregate,
      instance,
      [{ type: "instance.session.settings.changed", payload }],
      "the operator",
    ),
  ]);
}

/** How many events there are in all. */
export async function countEvents({ db }: OpenDatabase): Promise<number> {
  const { count } = await db
    .selectFrom("events")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** A session that has just run out. */
export async function expiredSession(
  client: SessionClient,
  checks: Parameters<SessionClient["createSession"]>[0]["checks"] = {},
): Promise<{ id: string; token: string }> {
  const { sessionId, sessionToken } = await client.createSession({ checks, lifetime: { nanos: 1 } });
  const { session } = await client.getSession({ sessionId });
  const expiration = timestampMs(session!.expirationDate!);
  // A millisecond at most, on the clock of this machine, which is the database's.
  while (Date.now() <= expiration) await new Promise(setImmediate);
  return { id: sessionId, token: sessionToken };
}

/** The user check of a request. */
export const userCheck = ({ id }: { id: string }) => ({
  user: { search: { case: "userId" as const, value: id } },
});

/** The user check and the password check of a request. */
export const signIn = (user: { id: string }, password: string = PASSWORD) => ({
  ...userCheck(user),
  password: { password },
});
