/**
 * Every event of a user. Names and payload keys are the ones existing tools know; `expiry` values are milliseconds.
 * Nothing here is a secret in the clear: passwords are hashes, tokens digests, codes encrypted.
 */
export type UserEvent =
  /** A person came into being, active at once. */
  | {
      type: "user.human.added";
      payload: {
        organizationId: string;
        userName: string;
        firstName: string;
        lastName: string;
        nickName?: string;
        displayName: string;
        preferredLanguage?: string;
        gender?: number;
        email: string;
        phone?: string;
        encodedHash?: string;
        changeRequired?: boolean;
      };
    }
  /** A service account came into being. */
  | {
      type: "user.machine.added";
      payload: {
        organizationId: string;
        userName: string;
        name: string;
        description?: string;
        accessTokenType: number;
      };
    }
  | {
      type: "user.human.profile.changed";
      payload: {
        firstName?: string;
        lastName?: string;
        nickName?: string;
        displayName?: string;
        preferredLanguage?: string;
        gender?: number;
      };
    }
  | {
      type: "user.machine.changed";
      payload: { name?: string; description?: string; accessTokenType?: number };
    }
  | { type: "user.username.changed"; payload: { userName: string } }
  /** A new address; it is not verified until the event below says so. */
  | { type: "user.human.email.changed"; payload: { email: string } }
  | { type: "user.human.email.verified"; payload: Record<string, never> }
  | { type: "user.human.email.code.added"; payload: { code: string; expiresAt: string } }
  | { type: "user.human.email.code.sent"; payload: Record<string, never> }
  | { type: "user.human.email.verification.failed"; payload: Record<string, never> }
  | { type: "user.human.phone.changed"; payload: { phone: string } }
  | { type: "user.human.phone.removed"; payload: Record<string, never> }
  | { type: "user.human.phone.verified"; payload: Record<string, never> }
  | { type: "user.human.phone.code.added"; payload: { code: string; expiresAt: string } }
  | { type: "user.human.phone.code.sent"; payload: Record<string, never> }
  | { type: "user.human.phone.verification.failed"; payload: Record<string, never> }
  /** A new password: earlier password checks of this user's sessions no longer count. */
  | { type: "user.human.password.changed"; payload: { encodedHash: string; changeRequired: boolean } }
  /** The same password under today's hash parameters. */
  | { type: "user.human.password.hash.updated"; payload: { encodedHash: string } }
  /** A reset was asked for: whoever has the code may set a new password. */
  | { type: "user.human.password.code.added"; payload: { code: string; expiresAt: string } }
  | { type: "user.human.password.code.sent"; payload: Record<string, never> }
  /** A wrong guess at the code of a reset. */
  | { type: "user.human.password.code.check.failed"; payload: Record<string, never> }
  | { type: "user.human.password.check.succeeded"; payload: Record<string, never> }
  | { type: "user.human.password.check.failed"; payload: Record<string, never> }
  /** An authenticator app that waits for its first code; replaces one that waits. */
  | { type: "user.human.mfa.otp.added"; payload: { otpSecret: string } }
  /** `step`: the time step of the code that proved it; absent for a secret that was brought along. */
  | { type: "user.human.mfa.otp.verified"; payload: { step?: number } }
  | { type: "user.human.mfa.otp.removed"; payload: Record<string, never> }
  /** `step`: the time step of the code; it and all before it count no more. */
  | { type: "user.human.mfa.otp.check.succeeded"; payload: { step: number } }
  | { type: "user.human.mfa.otp.check.failed"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.sms.added"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.sms.removed"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.sms.check.succeeded"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.sms.check.failed"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.email.added"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.email.removed"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.email.check.succeeded"; payload: Record<string, never> }
  | { type: "user.human.mfa.otp.email.check.failed"; payload: Record<string, never> }
  /** Digests of new codes, beside those that are left. */
  | { type: "user.human.mfa.recoverycode.added"; payload: { codes: string[] } }
  | { type: "user.human.mfa.recoverycode.removed"; payload: Record<string, never> }
  /** `codeChecked`: the digest of the code, used up by this. */
  | { type: "user.human.mfa.recoverycode.check.succeeded"; payload: { codeChecked: string } }
  | { type: "user.human.mfa.recoverycode.check.failed"; payload: Record<string, never> }
  | WebAuthNEvent<"user.human.passwordless.token">
  | WebAuthNEvent<"user.human.mfa.u2f.token">
  /** An invitation to register a passkey: returned to the caller (`added`) or to be sent (`requested`). */
  | {
      type:
        | "user.human.passwordless.initialization.code.added"
        | "user.human.passwordless.initialization.code.requested";
      payload: { id: string; code: string; expiresAt: string };
    }
  | { type: "user.human.passwordless.initialization.code.sent"; payload: { id: string } }
  | { type: "user.human.passwordless.initialization.code.check.succeeded"; payload: { id: string } }
  | { type: "user.human.passwordless.initialization.code.check.failed"; payload: { id: string } }
  /** `userId`: the account's id at the provider. */
  | {
      type: "user.human.externalidp.added";
      payload: { idpConfigId: string; userId: string; displayName: string };
    }
  | { type: "user.human.externalidp.removed"; payload: { idpConfigId: string; userId: string } }
  | {
      type: "user.machine.key.added";
      payload: {
        keyId: string;
        /** PEM, SubjectPublicKeyInfo. */ publicKey: string;
        /** ISO 8601; absent: never. */ expiration?: string;
      };
    }
  | { type: "user.machine.key.removed"; payload: { keyId: string } }
  | { type: "user.machine.secret.set"; payload: { id: string; digest: string } }
  | { type: "user.machine.secret.removed"; payload: Record<string, never> }
  | { type: "user.metadata.set"; payload: { key: string; value: string } }
  | { type: "user.metadata.removed"; payload: { key: string } }
  | { type: "user.locked"; payload: Record<string, never> }
  | { type: "user.unlocked"; payload: Record<string, never> }
  | { type: "user.deactivated"; payload: Record<string, never> }
  | { type: "user.reactivated"; payload: Record<string, never> }
  /** A change of what proves the user ended sessions; one may go on. */
  | {
      type: "user.sessions.ended";
      payload: { reason: "password_changed" | "factor_removed"; except?: string };
    }
  /** A session got this user while there was a limit of live ones: of two at the same time one counts again. */
  | { type: "user.session.admitted"; payload: { sessionId: string } }
  | { type: "user.removed"; payload: { organizationRemoved?: true } }
  | {
      type: "user.pat.added";
      payload: {
        tokenId: string;
        digest: string;
        /** ISO 8601; absent: never. */ expiration?: string;
        scopes: string[];
      };
    }
  | { type: "user.pat.removed"; payload: { tokenId: string } };

/** The life of a public key credential. Binary values are base64url, `expiresAt` is ISO 8601. */
type WebAuthNEvent<Prefix extends string> =
  /** A registration that waits for the authenticator; replaces one of the same kind that waits. */
  | {
      type: `${Prefix}.added`;
      payload: {
        webAuthNTokenId: string;
        challenge: string;
        rpID: string;
        expiresAt: string;
        /** The caller who asked for it. */
        registeredBy: string;
        /** And was entitled by a registration code. */
        byCode?: true;
      };
    }
  | {
      type: `${Prefix}.verified`;
      payload: {
        webAuthNTokenId: string;
        keyId: string;
        publicKey: string;
        attestationType: string;
        aaguid: string;
        signCount: number;
        webAuthNTokenName: string;
        transports: string[];
        backupEligible: boolean;
        backedUp: boolean;
      };
    }
  | {
      type: `${Prefix}.signcount.changed`;
      payload: { webAuthNTokenId: string; signCount: number; backedUp: boolean };
    }
  /** The authenticator's counter did not move on: there may be two of it. */
  | {
      type: `${Prefix}.clone.suspected`;
      payload: { webAuthNTokenId: string; signCount: number; storedSignCount: number };
    }
  | { type: `${Prefix}.removed`; payload: { webAuthNTokenId: string } };
