import type { Aggregate, Recorded } from "../storage/aggregate.ts";
import type { UserRow } from "../storage/tables.ts";
import type { UserEvent } from "./events.ts";

/** The folded state of a user; it is the user's row. */
export type UserState = UserRow;

/** A user no event was stored for. */
export function initialUser(id: string): UserState {
  return {
    id,
    sequence: 0,
    status: "none",
    type: "human",
    organizationId: "",
    username: "",
    usernameKey: null,
    givenName: null,
    familyName: null,
    nickName: null,
    displayName: null,
    preferredLanguage: null,
    gender: null,
    email: null,
    emailVerified: false,
    emailCode: null,
    phone: null,
    phoneVerified: false,
    phoneCode: null,
    machineName: null,
    machineDescription: null,
    accessTokenType: null,
    passwordHash: null,
    passwordChangeRequired: false,
    passwordChangedAt: null,
    passwordFailedAttempts: 0,
    passwordEpoch: 0,
    sessionEpoch: 0,
    metadata: {},
    createdAt: new Date(0),
    changedAt: new Date(0),
  };
}

export function evolveUser(state: UserState, event: Recorded<UserEvent>): UserState {
  const next = { ...state, sequence: event.sequence, changedAt: event.createdAt };
  return { ...next, ...effect(next, event) };
}

export const userAggregate: Aggregate<UserState, UserEvent> = {
  type: "user",
  initialState: initialUser,
  evolve: evolveUser,
};

/** Whether the user exists: added and not removed since. */
export function userExists(user: UserState): boolean {
  return user.status !== "none" && user.status !== "removed";
}

/** The name a user signs in with: the user name as it is (the default domain policy). */
export function loginNameKey(loginName: string): string {
  return loginName.trim().toLowerCase();
}

function effect(state: UserState, event: Recorded<UserEvent>): Partial<UserState> {
  switch (event.type) {
    case "user.human.added": {
      const { payload } = event;
      return {
        ...born(state, event),
        type: "human",
        organizationId: payload.organizationId,
        username: payload.userName,
        usernameKey: loginNameKey(payload.userName),
        givenName: payload.firstName,
        familyName: payload.lastName,
        nickName: payload.nickName ?? null,
        displayName: payload.displayName,
        preferredLanguage: payload.preferredLanguage ?? null,
        gender: payload.gender ?? null,
        email: payload.email,
        phone: payload.phone ?? null,
        passwordHash: payload.encodedHash ?? null,
        passwordChangeRequired: payload.changeRequired ?? false,
        passwordChangedAt: payload.encodedHash === undefined ? null : event.createdAt,
      };
    }
    case "user.machine.added":
      return {
        ...born(state, event),
        type: "machine",
        organizationId: event.payload.organizationId,
        username: event.payload.userName,
        usernameKey: loginNameKey(event.payload.userName),
        machineName: event.payload.name,
        machineDescription: event.payload.description ?? null,
        accessTokenType: event.payload.accessTokenType,
      };
    case "user.human.profile.changed": {
      const { payload } = event;
      return {
        givenName: payload.firstName ?? state.givenName,
        familyName: payload.lastName ?? state.familyName,
        nickName: payload.nickName ?? state.nickName,
        displayName: payload.displayName ?? state.displayName,
        preferredLanguage: payload.preferredLanguage ?? state.preferredLanguage,
        gender: payload.gender ?? state.gender,
      };
    }
    case "user.machine.changed":
      return {
        machineName: event.payload.name ?? state.machineName,
        machineDescription: event.payload.description ?? state.machineDescription,
        accessTokenType: event.payload.accessTokenType ?? state.accessTokenType,
      };
    case "user.username.changed":
      return { username: event.payload.userName, usernameKey: loginNameKey(event.payload.userName) };
    case "user.human.email.changed":
      return { email: event.payload.email, emailVerified: false, emailCode: null };
    case "user.human.email.verified":
      return { emailVerified: true, emailCode: null };
    case "user.human.email.code.added":
      return { emailCode: { encrypted: event.payload.code, expiresAt: event.payload.expiresAt } };
    case "user.human.phone.changed":
      return { phone: event.payload.phone, phoneVerified: false, phoneCode: null };
    case "user.human.phone.removed":
      return { phone: null, phoneVerified: false, phoneCode: null };
    case "user.human.phone.verified":
      return { phoneVerified: true, phoneCode: null };
    case "user.human.phone.code.added":
      return { phoneCode: { encrypted: event.payload.code, expiresAt: event.payload.expiresAt } };
    case "user.human.password.changed":
      return {
        passwordHash: event.payload.encodedHash,
        passwordChangeRequired: event.payload.changeRequired,
        passwordChangedAt: event.createdAt,
        passwordFailedAttempts: 0,
        passwordEpoch: state.passwordEpoch + 1,
      };
    case "user.human.password.hash.updated":
      return { passwordHash: event.payload.encodedHash };
    case "user.human.password.check.succeeded":
      return { passwordFailedAttempts: 0 };
    case "user.human.password.check.failed":
      return { passwordFailedAttempts: state.passwordFailedAttempts + 1 };
    case "user.metadata.set":
      return { metadata: { ...state.metadata, [event.payload.key]: event.payload.value } };
    case "user.metadata.removed": {
      const { [event.payload.key]: _, ...metadata } = state.metadata;
      return { metadata };
    }
    case "user.locked":
      return { status: "locked", sessionEpoch: state.sessionEpoch + 1 };
    case "user.unlocked":
      return { status: "active", passwordFailedAttempts: 0 };
    case "user.deactivated":
      return { status: "inactive", sessionEpoch: state.sessionEpoch + 1 };
    case "user.reactivated":
      return { status: "active" };
    case "user.removed":
      // Only what keeps a later user of the same id apart survives: the epochs.
      return {
        ...initialUser(state.id),
        sequence: state.sequence,
        status: "removed",
        organizationId: state.organizationId,
        passwordEpoch: state.passwordEpoch + 1,
        sessionEpoch: state.sessionEpoch + 1,
        createdAt: state.createdAt,
        changedAt: state.changedAt,
      };
    case "user.pat.added":
    case "user.pat.removed":
      return {};
    default:
      return event satisfies never;
  }
}

function born(state: UserState, event: Recorded<UserEvent>): Partial<UserState> {
  return {
    ...initialUser(state.id),
    sequence: state.sequence,
    status: "active",
    passwordEpoch: state.passwordEpoch,
    sessionEpoch: state.sessionEpoch,
    createdAt: event.createdAt,
    changedAt: event.createdAt,
  };
}
