import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { cascadeMemberships } from "../organization/memberships.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { IdpLink } from "../storage/tables.ts";
import { codeMessages } from "./code-messages.ts";
import {
  type CodeIssuer,
  type ContactInput,
  codeIssuer,
  normalizedEmail,
  normalizedPhone,
  verificationOf,
} from "./contact.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { demandProviders, linkEvents } from "./idp-links.ts";
import type { UnsentCode } from "./issued-code.ts";
import { encodePassword, type NewPassword } from "./new-password.ts";
import { importTotp } from "./totp.ts";
import { initialUser, type UserState, userAggregate, userExists } from "./user.ts";
import { type MetadataEntry, metadataEvents } from "./user-metadata.ts";

export type Profile = {
  givenName: string;
  familyName: string;
  nickName?: string | undefined;
  /** Absent or empty: given and family name. */
  displayName?: string | undefined;
  preferredLanguage?: string | undefined;
  gender?: number | undefined;
};

type NewUser = {
  /** Absent: a new UUID. */
  userId?: string | undefined;
  username?: string | undefined;
  metadata: readonly MetadataEntry[];
};

/** A person; without a user name the e-mail address is it. */
export type NewHuman = NewUser & {
  profile: Profile;
  email: ContactInput;
  phone?: ContactInput | undefined;
  password?: NewPassword | undefined;
  /** Base32 secret of an authenticator app the person has already. */
  totpSecret?: string | undefined;
  /** Accounts at identity providers the person signs in with. */
  idpLinks?: readonly IdpLink[] | undefined;
};

/** A service account; without a user name its id is it. */
export type NewMachine = NewUser & {
  name: string;
  description?: string | undefined;
  accessTokenType: number;
};

/** A user about to be stored: its own change, and everything that must be appended together with it. */
export type PreparedUser = {
  user: Change & { state: UserState };
  changes: Change[];
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
};

/**
 * A user that lacks only its organization. Every call decides on fresh state, so it may be repeated after a lost race.
 * @throws DomainError `user.id_exists`
 */
export type UserDraft = {
  userId: string;
  prepare(organizationId: string, actorId: string): Promise<PreparedUser>;
};

type Decision = {
  events: UserEvent[];
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
  unsent?: readonly (UnsentCode | undefined)[];
};

/**
 * Checks everything about a person that does not depend on what is stored, and hashes the password, once.
 * @throws DomainError `user.given_name_empty`, `user.family_name_empty`, what the e-mail
 *   address, the phone number, the password, the secret of the authenticator app or the metadata are refused with
 */
export async function draftHuman(dependencies: UserDependencies, human: NewHuman): Promise<UserDraft> {
  const userId = human.userId ?? uuidV7();
  const facts = readHuman(human);
  const { encryptionKey } = dependencies;
  const totp = human.totpSecret === undefined ? [] : importTotp(encryptionKey, userId, human.totpSecret);
  const encodedHash = human.password && (await encodePassword(dependencies, human.password));
  const issue = await codeIssuer(dependencies);
  return draft(dependencies, userId, async (state, organizationId) => {
    await demandProviders(dependencies.identityProviders, organizationId, human.idpLinks ?? []);
    return decideAddHuman(state, organizationId, human, { ...facts, encodedHash, totp }, issue);
  });
}

/** @throws DomainError `user.machine_name_empty`, `user.metadata_too_large` */
export function draftMachine(dependencies: UserDependencies, machine: NewMachine): UserDraft {
  if (machine.name.trim() === "") throw new DomainError("user.machine_name_empty");
  return draft(dependencies, machine.userId ?? uuidV7(), (state, organizationId) => ({
    events: decideAddMachine(state, organizationId, machine),
  }));
}

type HumanFacts = {
  email: string;
  phone: string | null;
  encodedHash?: string | undefined;
  totp?: UserEvent[];
};

export function decideAddHuman(
  state: UserState,
  organizationId: string,
  { username, profile, email, phone, password, idpLinks, metadata }: NewHuman,
  facts: HumanFacts,
  issue: CodeIssuer,
): Decision {
  if (userExists(state)) throw new DomainError("user.id_exists");
  const [firstName, lastName] = [profile.givenName.trim(), profile.familyName.trim()];
  const added: UserEvent = {
    type: "user.human.added",
    payload: {
      organizationId,
      userName: readUsername(username ?? facts.email),
      firstName,
      lastName,
      displayName: profile.displayName?.trim() || `${firstName} ${lastName}`,
      ...given("nickName", profile.nickName?.trim() || undefined),
      ...given("preferredLanguage", profile.preferredLanguage?.trim() || undefined),
      ...given("gender", profile.gender),
      email: facts.email,
      ...given("phone", facts.phone ?? undefined),
      ...given("encodedHash", facts.encodedHash),
      ...given("changeRequired", password?.changeRequired),
    },
  };
  const emailProof = verificationOf(state.id, "email", email, issue);
  const phoneProof =
    phone && facts.phone !== null ? verificationOf(state.id, "phone", phone, issue) : { events: [] };
  return {
    unsent: [emailProof.unsent, phoneProof.unsent],
    events: [
      added,
      ...emailProof.events,
      ...phoneProof.events,
      ...(facts.totp ?? []),
      ...linkEvents([], idpLinks ?? []),
      ...metadataEvents({}, metadata),
    ],
    emailCode: emailProof.returned,
    phoneCode: phoneProof.returned,
  };
}

export function decideAddMachine(state: UserState, organizationId: string, machine: NewMachine): UserEvent[] {
  if (userExists(state)) throw new DomainError("user.id_exists");
  const { username, name, description, accessTokenType, metadata } = machine;
  return [
    {
      type: "user.machine.added",
      payload: {
        organizationId,
        userName: readUsername(username ?? state.id),
        name: name.trim(),
        ...given("description", description),
        accessTokenType,
      },
    },
    ...metadataEvents({}, metadata),
  ];
}

/** @throws DomainError `user.username_empty` */
export function readUsername(text: string): string {
  const username = text.trim();
  if (username === "") throw new DomainError("user.username_empty");
  return username;
}

function readHuman({ profile, email, phone }: NewHuman): HumanFacts {
  if (profile.givenName.trim() === "") throw new DomainError("user.given_name_empty");
  if (profile.familyName.trim() === "") throw new DomainError("user.family_name_empty");
  return { email: normalizedEmail(email.text), phone: phone ? normalizedPhone(phone.text) : null };
}

function draft(
  { users, organizations, notifications }: UserDependencies,
  userId: string,
  decide: (state: UserState, organizationId: string) => Decision | Promise<Decision>,
): UserDraft {
  return {
    userId,
    prepare: async (organizationId, actorId) => {
      const state = (await users.find(userId)) ?? initialUser(userId);
      const { events, unsent = [], ...codes } = await decide(state, organizationId);
      const user = change(userAggregate, state, events, actorId);
      // The id of a removed user comes back to life without the roles a race may have left behind.
      const leftovers = state.sequence > 0 ? await cascadeMemberships(organizations, userId, actorId) : [];
      const messages = await codeMessages({ notifications }, user.state, unsent, actorId);
      return { ...codes, user, changes: [user, ...leftovers, ...messages] };
    },
  };
}

function given<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
