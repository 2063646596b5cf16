import type { UserEvent } from "../../src/user/events.ts";

/** Payloads by type, in an order they can happen in. */
type Payloads = { [E in UserEvent as E["type"]]: E["payload"] };

const expiresAt = "2026-07-10T10:00:00.000Z";

/**
 * One event of each type, as one user's life but for the removal.
 * @param text makes a text for each place where something about a person, or a secret, can stand
 */
export function everyUserEvent(
  organizationId: string,
  text: (what: string) => string,
): Exclude<UserEvent, { type: "user.removed" }>[] {
  const credential = (kind: string) => ({
    webAuthNTokenId: kind,
    keyId: text("credential id"),
    publicKey: text("public key"),
    attestationType: "none",
    aaguid: text("make of an authenticator"),
    signCount: 5,
    webAuthNTokenName: text("name of a key"),
    transports: ["usb"],
    backupEligible: true,
    backedUp: true,
  });
  const registration = (kind: string) => ({
    webAuthNTokenId: kind,
    challenge: text("challenge"),
    rpID: "localhost",
    expiresAt,
    registeredBy: "somebody",
  });
  const used = (kind: string) => ({ webAuthNTokenId: kind, signCount: 6, backedUp: true });
  const doubled = (kind: string) => ({ webAuthNTokenId: kind, signCount: 5, storedSignCount: 6 });
  const code = (what: string) => ({ code: text(what), expiresAt });
  const account = { idpConfigId: "provider", userId: text("account elsewhere") };
  const clientSecret = { id: "secret", digest: text("digest of a client secret") };
  const payloads: Omit<Payloads, "user.removed"> = {
    "user.machine.added": {
      organizationId,
      userName: text("machine's user name"),
      name: text("machine's name"),
      description: text("machine's description"),
      accessTokenType: 1,
    },
    "user.machine.changed": { name: text("machine's new name"), description: text("its new description") },
    "user.human.added": {
      organizationId,
      userName: text("user name"),
      firstName: text("first name"),
      lastName: text("last name"),
      nickName: text("nick name"),
      displayName: text("display name"),
      preferredLanguage: text("language"),
      gender: 2,
      email: text("address"),
      phone: text("number"),
      encodedHash: text("hash of a password"),
      changeRequired: true,
    },
    "user.human.profile.changed": {
      firstName: text("new first name"),
      lastName: text("new last name"),
      nickName: text("new nick name"),
      displayName: text("new display name"),
      preferredLanguage: text("new language"),
      gender: 1,
    },
    "user.username.changed": { userName: text("new user name") },
    "user.human.email.changed": { email: text("new address") },
    "user.human.email.code.added": code("e-mail code"),
    "user.human.email.code.sent": {},
    "user.human.email.verification.failed": {},
    "user.human.email.verified": {},
    "user.human.phone.changed": { phone: text("new number") },
    "user.human.phone.code.added": code("phone code"),
    "user.human.phone.code.sent": {},
    "user.human.phone.verification.failed": {},
    "user.human.phone.verified": {},
    "user.human.phone.removed": {},
    "user.human.password.code.added": code("reset code"),
    "user.human.password.code.sent": {},
    "user.human.password.code.check.failed": {},
    "user.human.password.changed": { encodedHash: text("new hash"), changeRequired: false },
    "user.human.password.hash.updated": { encodedHash: text("newer hash") },
    "user.human.password.check.failed": {},
    "user.human.password.check.succeeded": {},
    "user.human.mfa.otp.added": { otpSecret: text("seed") },
    "user.human.mfa.otp.verified": { step: 58_000_000 },
    "user.human.mfa.otp.check.failed": {},
    "user.human.mfa.otp.check.succeeded": { step: 58_000_001 },
    "user.human.mfa.otp.removed": {},
    "user.human.mfa.otp.sms.added": {},
    "user.human.mfa.otp.sms.check.failed": {},
    "user.human.mfa.otp.sms.check.succeeded": {},
    "user.human.mfa.otp.sms.removed": {},
    "user.human.mfa.otp.email.added": {},
    "user.human.mfa.otp.email.check.failed": {},
    "user.human.mfa.otp.email.check.succeeded": {},
    "user.human.mfa.otp.email.removed": {},
    "user.human.mfa.recoverycode.added": { codes: [text("recovery code"), text("other recovery code")] },
    "user.human.mfa.recoverycode.check.failed": {},
    "user.human.mfa.recoverycode.check.succeeded": { codeChecked: text("used recovery code") },
    "user.human.mfa.recoverycode.removed": {},
    "user.human.passwordless.token.added": registration("passkey"),
    "user.human.passwordless.token.verified": credential("passkey"),
    "user.human.passwordless.token.signcount.changed": used("passkey"),
    "user.human.passwordless.token.clone.suspected": doubled("passkey"),
    "user.human.passwordless.token.removed": { webAuthNTokenId: "passkey" },
    "user.human.mfa.u2f.token.added": registration("key"),
    "user.human.mfa.u2f.token.verified": credential("key"),
    "user.human.mfa.u2f.token.signcount.changed": used("key"),
    "user.human.mfa.u2f.token.clone.suspected": doubled("key"),
    "user.human.mfa.u2f.token.removed": { webAuthNTokenId: "key" },
    "user.human.passwordless.initialization.code.added": { id: "first", ...code("passkey code") },
    "user.human.passwordless.initialization.code.requested": { id: "other", ...code("other passkey code") },
    "user.human.passwordless.initialization.code.sent": { id: "other" },
    "user.human.passwordless.initialization.code.check.failed": { id: "other" },
    "user.human.passwordless.initialization.code.check.succeeded": { id: "first" },
    "user.human.externalidp.added": { ...account, displayName: text("name elsewhere") },
    "user.human.externalidp.removed": account,
    "user.machine.key.added": { keyId: "machine key", publicKey: text("machine's public key") },
    "user.machine.key.removed": { keyId: "machine key" },
    "user.machine.secret.set": clientSecret,
    "user.machine.secret.removed": {},
    "user.metadata.set": { key: text("key of metadata"), value: text("value of metadata") },
    "user.metadata.removed": { key: text("removed key of metadata") },
    "user.pat.added": {
      tokenId: "token",
      digest: text("digest of a token"),
      expiration: expiresAt,
      scopes: [],
    },
    "user.pat.removed": { tokenId: "token" },
    "user.session.admitted": { sessionId: "session" },
    "user.locked": {},
    "user.unlocked": {},
    "user.deactivated": {},
    "user.reactivated": {},
    "user.sessions.ended": { reason: "password_changed", except: "session" },
  };
  return Object.entries(payloads).map(
    ([type, payload]) => ({ type, payload }) as ReturnType<typeof everyUserEvent>[number],
  );
}
