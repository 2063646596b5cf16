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
  | { type: "user.human.phone.changed"; payload: { phone: string } }
  | { type: "user.human.phone.removed"; payload: Record<string, never> }
  | { type: "user.human.phone.verified"; payload: Record<string, never> }
  | { type: "user.human.phone.code.added"; payload: { code: string; expiresAt: string } }
  /** A new password: earlier password checks of this user's sessions no longer count. */
  | { type: "user.human.password.changed"; payload: { encodedHash: string; changeRequired: boolean } }
  /** The same password under today's hash parameters. */
  | { type: "user.human.password.hash.updated"; payload: { encodedHash: string } }
  | { type: "user.human.password.check.succeeded"; payload: Record<string, never> }
  | { type: "user.human.password.check.failed"; payload: Record<string, never> }
  | { type: "user.metadata.set"; payload: { key: string; value: string } }
  | { type: "user.metadata.removed"; payload: { key: string } }
  | { type: "user.locked"; payload: Record<string, never> }
  | { type: "user.unlocked"; payload: Record<string, never> }
  | { type: "user.deactivated"; payload: Record<string, never> }
  | { type: "user.reactivated"; payload: Record<string, never> }
  | { type: "user.removed"; payload: Record<string, never> }
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
