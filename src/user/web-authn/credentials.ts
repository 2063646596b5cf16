import type { UserVerification, WebAuthNCredential } from "../../storage/tables.ts";
import type { UserState } from "../user.ts";

/** A passkey signs in by itself; `u2f` is a security key as a second factor. Each has its own list. */
export type CredentialKind = WebAuthNCredential["kind"];

/** What the events of a kind begin with. */
export const eventPrefixes = {
  passkey: "user.human.passwordless.token",
  u2f: "user.human.mfa.u2f.token",
} as const satisfies { readonly [kind in CredentialKind]: string };

/** Whoever asks for a verified user means passkeys, everybody else a second factor (spec user-slice §18.5). */
export function kindAskedFor(userVerification: UserVerification): CredentialKind {
  return userVerification === "required" ? "passkey" : "u2f";
}

/** More of a kind nobody has, and every check loads them all. */
export const MAX_CREDENTIALS = 50;

/** The credentials of a kind that can sign, oldest first. */
export function readyCredentials({ webAuthN }: UserState, kind: CredentialKind): WebAuthNCredential[] {
  return webAuthN.filter((credential) => credential.kind === kind && credential.pending === null);
}

/** The registration of a kind that waits for its authenticator; there is one at most. */
export function pendingCredential(
  { webAuthN }: UserState,
  kind: CredentialKind,
): (WebAuthNCredential & { pending: NonNullable<WebAuthNCredential["pending"]> }) | undefined {
  for (const credential of webAuthN) {
    const { pending } = credential;
    if (credential.kind === kind && pending !== null) return { ...credential, pending };
  }
  return undefined;
}
