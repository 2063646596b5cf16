import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { FailedAttempts, UserRow, VerificationCode, WebAuthNCredential } from "../storage/tables.ts";
import type { UserEvent } from "./events.ts";

/** The folded state of a user; it is the user's row. */
export type UserState = UserRow;

/** The newest ones count: codes expire without an event, and a row must not grow for ever. */
const MAX_PASSKEY_CODES = 10;

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
    verifiedEmail: null,
    emailCode: null,
    phone: null,
    phoneVerified: false,
    verifiedPhone: null,
    phoneCode: null,
    machineName: null,
    machineDescription: null,
    accessTokenType: null,
    passwordHash: null,
    passwordChangeRequired: false,
    passwordChangedAt: null,
    passwordFailedAttempts: 0,
    passwordEpoch: 0,
    passwordCode: null,
    totp: null,
    otpSms: false,
    otpEmail: false,
    webAuthN: [],
    passkeyCodes: [],
    recoveryCodes: null,
    idpLinks: [],
    failedAttempts: {},
    clientSecret: null,
    sessionEpoch: 0,
    metadata: {},
    createdAt: new Date(0),
    changedAt: new Date(0),
  };
}

export const userAggregate: Aggregate<UserState, UserEvent> = {
  type: "user",
  initialState: initialUser,
  evolve: evolveBy(effect),
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
      return { emailVerified: true, verifiedEmail: state.email, emailCode: null };
    case "user.human.email.code.added":
      return { emailCode: { encrypted: event.payload.code, expiresAt: event.payload.expiresAt } };
    case "user.human.email.verification.failed":
      return { emailCode: guessedAt(state.emailCode) };
    case "user.human.phone.changed":
      return { phone: event.payload.phone, phoneVerified: false, phoneCode: null };
    case "user.human.phone.removed":
      return {
        phone: null,
        phoneVerified: false,
        verifiedPhone: null,
        phoneCode: null,
        otpSms: false,
        failedAttempts: { ...state.failedAttempts, otpSms: 0 },
      };
    case "user.human.phone.verified":
      return { phoneVerified: true, verifiedPhone: state.phone, phoneCode: null };
    case "user.human.phone.code.added":
      return { phoneCode: { encrypted: event.payload.code, expiresAt: event.payload.expiresAt } };
    case "user.human.phone.verification.failed":
      return { phoneCode: guessedAt(state.phoneCode) };
    case "user.human.password.changed":
      return {
        passwordHash: event.payload.encodedHash,
        passwordChangeRequired: event.payload.changeRequired,
        passwordChangedAt: event.createdAt,
        passwordFailedAttempts: 0,
        passwordEpoch: state.passwordEpoch + 1,
        passwordCode: null,
      };
    case "user.human.password.code.added":
      return { passwordCode: { encrypted: event.payload.code, expiresAt: event.payload.expiresAt } };
    case "user.human.password.code.check.failed":
      return { passwordCode: guessedAt(state.passwordCode) };
    case "user.human.password.hash.updated":
      return { passwordHash: event.payload.encodedHash };
    case "user.human.password.check.succeeded":
      return { passwordFailedAttempts: 0 };
    case "user.human.password.check.failed":
      return { passwordFailedAttempts: state.passwordFailedAttempts + 1 };
    case "user.human.mfa.otp.added":
      return { totp: { secret: event.payload.otpSecret, ready: false, lastStep: null } };
    case "user.human.mfa.otp.verified":
      return {
        totp: { ...state.totp!, ready: true, lastStep: event.payload.step ?? null },
        failedAttempts: { ...state.failedAttempts, totp: 0 },
      };
    case "user.human.mfa.otp.removed":
      return { totp: null, failedAttempts: { ...state.failedAttempts, totp: 0 } };
    case "user.human.mfa.otp.check.succeeded":
      return {
        totp: { ...state.totp!, lastStep: event.payload.step },
        failedAttempts: { ...state.failedAttempts, totp: 0 },
      };
    case "user.human.mfa.otp.check.failed":
      return { failedAttempts: oneMore(state, "totp") };
    case "user.human.mfa.otp.sms.added":
      return { otpSms: true };
    case "user.human.mfa.otp.sms.removed":
      return { otpSms: false, failedAttempts: { ...state.failedAttempts, otpSms: 0 } };
    case "user.human.mfa.otp.sms.check.succeeded":
      return { failedAttempts: { ...state.failedAttempts, otpSms: 0 } };
    case "user.human.mfa.otp.sms.check.failed":
      return { failedAttempts: oneMore(state, "otpSms") };
    case "user.human.mfa.otp.email.added":
      return { otpEmail: true };
    case "user.human.mfa.otp.email.removed":
      return { otpEmail: false, failedAttempts: { ...state.failedAttempts, otpEmail: 0 } };
    case "user.human.mfa.otp.email.check.succeeded":
      return { failedAttempts: { ...state.failedAttempts, otpEmail: 0 } };
    case "user.human.mfa.otp.email.check.failed":
      return { failedAttempts: oneMore(state, "otpEmail") };
    case "user.human.mfa.recoverycode.added":
      return { recoveryCodes: [...(state.recoveryCodes ?? []), ...event.payload.codes] };
    case "user.human.mfa.recoverycode.removed":
      return { recoveryCodes: null, failedAttempts: { ...state.failedAttempts, recoveryCode: 0 } };
    case "user.human.mfa.recoverycode.check.succeeded": {
      const { codeChecked } = event.payload;
      return {
        recoveryCodes: (state.recoveryCodes ?? []).filter((digest) => digest !== codeChecked),
        failedAttempts: { ...state.failedAttempts, recoveryCode: 0 },
      };
    }
    case "user.human.mfa.recoverycode.check.failed":
      return { failedAttempts: oneMore(state, "recoveryCode") };
    case "user.human.passwordless.token.added":
    case "user.human.mfa.u2f.token.added": {
      const kind = event.type === "user.human.passwordless.token.added" ? "passkey" : "u2f";
      const { webAuthNTokenId: id, rpID: rpId, ...pending } = event.payload;
      return {
        webAuthN: [
          ...state.webAuthN.filter((credential) => credential.kind !== kind || credential.pending === null),
          { ...unverified, id, kind, rpId, pending },
        ],
      };
    }
    case "user.human.passwordless.token.verified":
    case "user.human.mfa.u2f.token.verified": {
      const { webAuthNTokenId, keyId: credentialId, webAuthNTokenName: name, ...verified } = event.payload;
      const { publicKey, aaguid, signCount, transports, backupEligible, backedUp } = verified;
      return credentialChange(state, webAuthNTokenId, {
        pending: null,
        credentialId,
        name,
        publicKey,
        aaguid,
        signCount,
        transports,
        backupEligible,
        backedUp,
      });
    }
    case "user.human.passwordless.token.signcount.changed":
    case "user.human.mfa.u2f.token.signcount.changed": {
      const { webAuthNTokenId, signCount, backedUp } = event.payload;
      return credentialChange(state, webAuthNTokenId, { signCount, backedUp });
    }
    case "user.human.passwordless.token.removed":
    case "user.human.mfa.u2f.token.removed": {
      const { webAuthNTokenId } = event.payload;
      return { webAuthN: state.webAuthN.filter(({ id }) => id !== webAuthNTokenId) };
    }
    case "user.human.passwordless.initialization.code.added":
    case "user.human.passwordless.initialization.code.requested": {
      const { id, code: encrypted, expiresAt } = event.payload;
      const codes = [...state.passkeyCodes, { id, encrypted, expiresAt, failedAttempts: 0 }];
      return { passkeyCodes: codes.slice(-MAX_PASSKEY_CODES) };
    }
    case "user.human.passwordless.initialization.code.check.succeeded":
      return { passkeyCodes: state.passkeyCodes.filter(({ id }) => id !== event.payload.id) };
    case "user.human.passwordless.initialization.code.check.failed":
      return {
        passkeyCodes: state.passkeyCodes.map((code) =>
          code.id === event.payload.id ? { ...code, failedAttempts: code.failedAttempts + 1 } : code,
        ),
      };
    case "user.human.externalidp.added": {
      const { idpConfigId: idpId, userId: externalUserId, displayName } = event.payload;
      return { idpLinks: [...state.idpLinks, { idpId, externalUserId, displayName }] };
    }
    case "user.human.externalidp.removed": {
      const { idpConfigId, userId } = event.payload;
      return {
        idpLinks: state.idpLinks.filter(
          ({ idpId, externalUserId }) => idpId !== idpConfigId || externalUserId !== userId,
        ),
      };
    }
    case "user.machine.secret.set":
      return { clientSecret: event.payload };
    case "user.machine.secret.removed":
      return { clientSecret: null };
    case "user.metadata.set":
      return { metadata: { ...state.metadata, [event.payload.key]: event.payload.value } };
    case "user.metadata.removed": {
      const { [event.payload.key]: _, ...metadata } = state.metadata;
      return { metadata };
    }
    case "user.locked":
      return { status: "locked", sessionEpoch: state.sessionEpoch + 1 };
    case "user.unlocked":
      return { status: "active", passwordFailedAttempts: 0, failedAttempts: {} };
    case "user.deactivated":
      return { status: "inactive", sessionEpoch: state.sessionEpoch + 1 };
    case "user.reactivated":
      return { status: "active" };
    case "user.sessions.ended":
      return { sessionEpoch: state.sessionEpoch + 1 };
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
    case "user.human.email.code.sent":
    case "user.human.phone.code.sent":
    case "user.human.password.code.sent":
    case "user.human.passwordless.token.clone.suspected":
    case "user.human.mfa.u2f.token.clone.suspected":
    case "user.human.passwordless.initialization.code.sent":
    case "user.machine.key.added":
    case "user.machine.key.removed":
    case "user.pat.added":
    case "user.pat.removed":
    case "user.session.admitted":
      return {};
    default:
      return event satisfies never;
  }
}

function oneMore({ failedAttempts }: UserState, factor: keyof FailedAttempts): FailedAttempts {
  return { ...failedAttempts, [factor]: (failedAttempts[factor] ?? 0) + 1 };
}

/** What is not known of a credential before the authenticator answers. */
const unverified = {
  name: "",
  credentialId: "",
  publicKey: "",
  aaguid: "",
  signCount: 0,
  transports: [],
  backupEligible: false,
  backedUp: false,
};

function credentialChange(
  state: UserState,
  credentialId: string,
  changed: Partial<WebAuthNCredential>,
): Partial<UserState> {
  return {
    webAuthN: state.webAuthN.map((credential) =>
      credential.id === credentialId ? { ...credential, ...changed } : credential,
    ),
  };
}

function guessedAt(code: VerificationCode | null): VerificationCode | null {
  return code && { ...code, failedAttempts: (code.failedAttempts ?? 0) + 1 };
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
