import type { IdentityProviderRow, IdpOptions } from "../storage/tables.ts";

/** Every event of an identity provider. `secret` is encrypted, standard base64; absent: unchanged. */
export type IdentityProviderEvent =
  | {
      type: "idp.added";
      payload: {
        /** Absent: the instance's. */
        organizationId?: string;
        type: IdentityProviderRow["type"];
        name: string;
        config: Record<string, unknown>;
        secret?: string;
        options: IdpOptions;
      };
    }
  | {
      type: "idp.changed";
      payload: {
        name?: string;
        config?: Record<string, unknown>;
        secret?: string;
        options?: IdpOptions;
      };
    }
  | { type: "idp.removed"; payload: Record<string, never> };

/** Every event of one walk to an identity provider. `secrets` and `tokens` are encrypted, `expiresAt` is ISO 8601. */
export type IdpIntentEvent =
  | {
      type: "idpintent.started";
      payload: { idpId: string; successURL: string; failureURL: string; secrets: string; expiresAt: string };
    }
  | {
      type: "idpintent.succeeded";
      payload: {
        idpUser: Record<string, unknown>;
        idpUserId: string;
        idpUserName: string;
        /** The user the account is linked to; absent: none yet. */
        userId?: string;
        tokens: string;
        expiresAt: string;
      };
    }
  | { type: "idpintent.failed"; payload: { reason: string } }
  /** A session took it as proof: it is used up. */
  | { type: "idpintent.consumed"; payload: Record<string, never> };
