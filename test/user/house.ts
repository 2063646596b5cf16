import type { Kysely } from "kysely";
import { AccessTokens } from "../../src/auth/access-token.ts";
import { createPasswordHasher } from "../../src/crypto/password-hasher.ts";
import { removedWithOrganization as providerRemovedWithOrganization } from "../../src/idp/change-providers.ts";
import { IntentTokens } from "../../src/idp/intent-token.ts";
import { Notifications } from "../../src/notification/notifications.ts";
import { Providers } from "../../src/notification/providers.ts";
import type { OrganizationDependencies } from "../../src/organization/dependencies.ts";
import { instanceAggregate } from "../../src/organization/instance.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import { projections } from "../../src/projections/projections.ts";
import { uniqueConstraints } from "../../src/projections/unique-constraints.ts";
import { ownSession } from "../../src/session/keep-session.ts";
import { AdministratorRepository } from "../../src/storage/administrator-repository.ts";
import { change } from "../../src/storage/aggregate.ts";
import { CallerRepository } from "../../src/storage/caller-repository.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { IdentityProviderRepository } from "../../src/storage/identity-provider-repository.ts";
import type { SessionSettings } from "../../src/storage/instance-settings.ts";
import { MachineKeyRepository } from "../../src/storage/machine-key-repository.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { PersonalAccessTokenRepository } from "../../src/storage/personal-access-token-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { Database } from "../../src/storage/tables.ts";
import { UserRepository } from "../../src/storage/user-repository.ts";
import { removedWithOrganization } from "../../src/user/delete-user.ts";
import type { UserDependencies } from "../../src/user/dependencies.ts";
import { draftHuman, type NewHuman } from "../../src/user/prepare-user.ts";
import { changeUserState } from "../../src/user/user-state.ts";
import { createTestDatabase, type Engine } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { expectRowsToMatchTheLog } from "../support/test-server.ts";

/** The user and organization rooms on a database of their own, without a server around them. */
export type House = UserDependencies &
  OrganizationDependencies<NewHuman> & {
    callers: CallerRepository;
    sessions: SessionRepository;
    intentTokens: IntentTokens;
    /** For what no room reads. */
    db: Kysely<Database>;
    /** Proves that every row is what the log says, and removes the database. */
    close(): Promise<void>;
  };

export async function openHouse(engine: Engine): Promise<House> {
  const database = await createTestDatabase(engine);
  const { db, close } = await database.open();
  const organizations = new OrganizationRepository(db);
  const encryptionKey = new Uint8Array(32);
  const sessions = new SessionRepository(db);
  const users: UserDependencies = {
    events: new EventRepository(db, projections, { uniqueSlugs: uniqueConstraints }),
    users: new UserRepository(db),
    organizations,
    identityProviders: new IdentityProviderRepository(db),
    personalAccessTokens: new PersonalAccessTokenRepository(db),
    machineKeys: new MachineKeyRepository(db),
    accessTokens: new AccessTokens(new Uint8Array(32).fill(5)),
    passwords: createPasswordHasher(),
    notifications: new Notifications({
      providers: new Providers({ organizations, encryptionKey }),
      encryptionKey,
      clock: () => new Date(),
    }),
    ownSession: (caller, userId) => ownSession({ sessions }, caller, userId),
    encryptionKey,
    recoveryCodeKey: new Uint8Array(32).fill(7),
    issuerName: "Gatehouse",
    publicHost: "auth.example.com",
    clock: () => new Date(),
    delay: async () => {},
  };
  return {
    ...users,
    db,
    administrators: new AdministratorRepository(db),
    callers: new CallerRepository(db),
    sessions,
    intentTokens: new IntentTokens(new Uint8Array(32).fill(9)),
    domain: "auth.example.com",
    removals: { user: removedWithOrganization, provider: providerRemovedWithOrganization },
    draftHuman: (human) => draftHuman(users, human),
    close: async () => {
      await close();
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  };
}

export const owner = caller("owner", { instance: ["IAM_OWNER"] });

export const PASSWORD = "Correct-Horse-1";

/** The organization of the first start. */
export async function defaultOrganization({ organizations }: House): Promise<string> {
  return (await organizations.instance())!.defaultOrganizationId;
}

/** Wrong answers in a row that lock, of passwords and of each other factor; 0 = never. */
export async function changeLockout(
  { events, organizations }: House,
  maxPasswordAttempts: number,
  maxOtpAttempts = 0,
): Promise<void> {
  const payload = { maxPasswordAttempts, maxOtpAttempts };
  const changed = { type: "instance.policy.lockout.changed" as const, payload };
  await events.append([
    change(instanceAggregate, (await organizations.instance())!, [changed], owner.userId),
  ]);
}

/** What becomes of sessions from now on, as far as it differs from what it was. */
export async function changeSessionSettings(
  { events, organizations }: House,
  changes: Partial<SessionSettings>,
): Promise<void> {
  const instance = (await organizations.instance())!;
  const payload = { ...settingsOf(instance).session, ...changes };
  const changed = { type: "instance.session.settings.changed" as const, payload };
  await events.append([change(instanceAggregate, instance, [changed], owner.userId)]);
}

/** A person as a request describes one; the address is made of the name. */
export function human(name: string, changes: Partial<NewHuman> = {}): NewHuman {
  return {
    userId: name,
    profile: { givenName: name, familyName: "Example" },
    email: { text: `${name}@example.com`, verification: "verified" },
    metadata: [],
    ...changes,
  };
}

export const lock = (house: House, userId: string) => changeUserState(house, owner, "lock", userId);
