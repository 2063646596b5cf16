import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { changeProofs } from "./change-proofs.ts";
import { codeMessages } from "./code-messages.ts";
import { type CodeIssuer, type ContactInput, changeEmail, changePhone, codeIssuer } from "./contact.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import type { UnsentCode } from "./issued-code.ts";
import type { NewPassword } from "./new-password.ts";
import { accessible, mayAct } from "./permissions.ts";
import { type Profile, readUsername } from "./prepare-user.ts";
import { type PasswordProof, passwordSetter } from "./set-password.ts";
import { heldBack } from "./tarpit.ts";
import type { UserState } from "./user.ts";
import { type MetadataEntry, metadataEvents } from "./user-metadata.ts";

/** What is absent stays as it is. */
export type UserChanges = {
  username?: string | undefined;
  human?: HumanChanges | undefined;
  machine?: MachineChanges | undefined;
  metadata: readonly MetadataEntry[];
};

export type HumanChanges = {
  profile?: Partial<Profile> | undefined;
  email?: ContactInput | undefined;
  phone?: ContactInput | undefined;
  password?: { password?: NewPassword | undefined; proof?: PasswordProof | undefined } | undefined;
};

export type MachineChanges = {
  name?: string | undefined;
  description?: string | undefined;
  accessTokenType?: number | undefined;
};

export type UpdateUser = UserChanges & { userId: string };

export type UpdatedUser = {
  details: Details;
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
};

/**
 * Changes what is given and differs; nothing differing, nothing is stored.
 * One may change oneself, but vouching for an address, being handed its code, or setting a password without proof
 * takes the permission.
 * @throws DomainError `auth.permission_denied`, `user.not_found`, `user.type_mismatch`, `user.name_exists`, and what
 *   the single values are refused with
 */
export async function updateUser(
  dependencies: UserDependencies,
  caller: Caller,
  command: UpdateUser,
): Promise<UpdatedUser> {
  const { events, users } = dependencies;
  const password = command.human?.password;
  const setPassword = password && passwordSetter(dependencies, password.password, password.proof);
  const attempt = async () => {
    const found = await users.find(command.userId);
    const user = accessible(caller, found, "user.write", "user.not_found", "selfOrPermission");
    if (needsPermission(command) && !mayAct(caller, user, "user.write")) {
      throw new DomainError("auth.permission_denied");
    }
    const issue = await codeIssuer(dependencies);
    const { events: changes, unsent, ...codes } = decideUpdate(user, command, issue);
    if (setPassword) changes.push(...(await setPassword(user, caller.userId)));
    if (changes.length === 0) return { details: detailsOf(user, user.organizationId) };
    const { user: changed, others } = await changeProofs(dependencies, caller, user, changes);
    const messages = await codeMessages(dependencies, changed.state, unsent, caller.userId);
    const appendedAt = await events.append([changed, ...others, ...messages]);
    return { ...codes, details: detailsOf(changed.state, user.organizationId, appendedAt) };
  };
  // Guesses at the current password take turns, and the answers to wrong ones their time, as in SetPassword.
  return heldBack(dependencies.delay, () =>
    events.decide(command.userId, attempt, { inTurn: password?.proof !== undefined }),
  );
}

type Decision = {
  events: UserEvent[];
  emailCode?: string | undefined;
  phoneCode?: string | undefined;
  unsent: readonly (UnsentCode | undefined)[];
};

/** Everything but the password, which must be hashed and is decided in `set-password.ts`. */
export function decideUpdate(
  user: UserState,
  { username, human, machine, metadata }: UserChanges,
  issue: CodeIssuer,
): Decision {
  if ((human && user.type !== "human") || (machine && user.type !== "machine")) {
    throw new DomainError("user.type_mismatch");
  }
  const email = human?.email && changeEmail(user, human.email, issue);
  const phone = human?.phone && changePhone(user, human.phone, issue);
  return {
    events: [
      ...usernameEvents(user, username),
      ...profileEvents(user, human?.profile ?? {}),
      ...(email?.events ?? []),
      ...(phone?.events ?? []),
      ...machineEvents(user, machine ?? {}),
      ...metadataEvents(user.metadata, metadata),
    ],
    emailCode: email?.returned,
    phoneCode: phone?.returned,
    unsent: [email?.unsent, phone?.unsent],
  };
}

function needsPermission({ human }: UserChanges): boolean {
  const vouches = (contact: ContactInput | undefined) =>
    contact?.verification === "verified" || contact?.verification === "return";
  return (
    vouches(human?.email) ||
    vouches(human?.phone) ||
    (human?.password !== undefined && human.password.proof === undefined)
  );
}

function usernameEvents(user: UserState, text: string | undefined): UserEvent[] {
  if (text === undefined) return [];
  const userName = readUsername(text);
  return userName === user.username ? [] : [{ type: "user.username.changed", payload: { userName } }];
}

function profileEvents(user: UserState, profile: Partial<Profile>): UserEvent[] {
  const [givenName, familyName] = [profile.givenName?.trim(), profile.familyName?.trim()];
  if (givenName === "") throw new DomainError("user.given_name_empty");
  if (familyName === "") throw new DomainError("user.family_name_empty");
  const displayName = profile.displayName?.trim();
  const payload = differing(
    {
      firstName: user.givenName,
      lastName: user.familyName,
      nickName: user.nickName ?? "",
      displayName: user.displayName,
      preferredLanguage: user.preferredLanguage ?? "",
      gender: user.gender ?? 0,
    },
    {
      firstName: givenName,
      lastName: familyName,
      nickName: profile.nickName?.trim(),
      displayName:
        displayName === "" ? `${givenName ?? user.givenName} ${familyName ?? user.familyName}` : displayName,
      preferredLanguage: profile.preferredLanguage?.trim(),
      gender: profile.gender,
    },
  );
  return payload ? [{ type: "user.human.profile.changed", payload }] : [];
}

function machineEvents(user: UserState, { name, description, accessTokenType }: MachineChanges): UserEvent[] {
  if (name?.trim() === "") throw new DomainError("user.machine_name_empty");
  const payload = differing(
    {
      name: user.machineName,
      description: user.machineDescription ?? "",
      accessTokenType: user.accessTokenType ?? 0,
    },
    { name: name?.trim(), description, accessTokenType },
  );
  return payload ? [{ type: "user.machine.changed", payload }] : [];
}

/** What of `wanted` is given and not what it is; undefined if nothing. */
function differing<T extends Record<string, string | number | undefined>>(
  current: { [key in keyof T]: string | number | null },
  wanted: T,
): T | undefined {
  const entries = Object.entries(wanted).filter(
    ([key, value]) => value !== undefined && value !== current[key],
  );
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}
