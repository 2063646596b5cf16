import type { Caller } from "../auth/caller.ts";
import { openText, sealText } from "../crypto/sealed-text.ts";
import { DomainError } from "../errors.ts";
import type { Details } from "../storage/details.ts";
import { changeFactor } from "./change-factor.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { importedTotpSecret, matchingStep, newTotpSecret, totpUri } from "./totp-code.ts";
import type { UserState } from "./user.ts";

/** `uri` for the QR code, `secret` for typing it in; shown here and never again. */
export type RegisteredTotp = { details: Details; uri: string; secret: string };

/**
 * Begins the set-up of an authenticator app; one that waits for its first code is replaced.
 * @throws DomainError `auth.permission_denied`, `user.totp_user_not_found`, `user.totp_exists`
 */
export async function registerTotp(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<RegisteredTotp> {
  const secret = newTotpSecret();
  let account = "";
  const act = { permission: "user.credential.write", notFound: "user.totp_user_not_found" } as const;
  const details = await changeFactor(dependencies, caller, userId, act, (user) => {
    account = user.username;
    return decideRegisterTotp(user, sealTotpSecret(dependencies.encryptionKey, user.id, secret));
  });
  return { details, secret, uri: totpUri(dependencies.issuerName, account, secret) };
}

export function decideRegisterTotp(user: UserState, otpSecret: string): UserEvent[] {
  if (user.totp?.ready) throw new DomainError("user.totp_exists");
  return [{ type: "user.human.mfa.otp.added", payload: { otpSecret } }];
}

/**
 * Completes the set-up with a first code, which counts as used. A wrong one is no failed attempt: whoever sets up an
 * app knows its secret.
 * @throws DomainError `auth.permission_denied`, `user.totp_not_registered`, `user.totp_ready`, `user.totp_code_invalid`
 */
export function verifyTotpRegistration(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, code }: { userId: string; code: string },
): Promise<Details> {
  const act = { permission: "user.credential.write", notFound: "user.totp_not_registered" } as const;
  return changeFactor(dependencies, caller, userId, act, (user) =>
    decideVerifyTotp(user, (totp) =>
      matchingStep(
        openTotpSecret(dependencies.encryptionKey, user.id, totp),
        code,
        dependencies.clock(),
        null,
      ),
    ),
  );
}

export function decideVerifyTotp(
  { totp }: UserState,
  stepOf: (totp: NonNullable<UserState["totp"]>) => number | undefined,
): UserEvent[] {
  if (totp === null) throw new DomainError("user.totp_not_registered");
  if (totp.ready) throw new DomainError("user.totp_ready");
  const step = stepOf(totp);
  if (step === undefined) throw new DomainError("user.totp_code_invalid");
  return [{ type: "user.human.mfa.otp.verified", payload: { step } }];
}

/**
 * Removes the authenticator app, also one that was never completed.
 * @throws DomainError `auth.permission_denied`, `user.totp_not_found`
 */
export function removeTotp(dependencies: UserDependencies, caller: Caller, userId: string): Promise<Details> {
  const act = { permission: "user.write", notFound: "user.totp_not_found" } as const;
  return changeFactor(dependencies, caller, userId, act, ({ totp }) => {
    if (totp === null) throw new DomainError("user.totp_not_found");
    return [{ type: "user.human.mfa.otp.removed", payload: {} }];
  });
}

/**
 * An authenticator app that comes along with a new user: trusted without a code.
 * @throws DomainError `user.totp_secret_invalid`
 */
export function importTotp(encryptionKey: Uint8Array, userId: string, secret: string): UserEvent[] {
  const imported = importedTotpSecret(secret);
  if (imported === undefined) throw new DomainError("user.totp_secret_invalid");
  const otpSecret = sealTotpSecret(encryptionKey, userId, imported);
  return [
    { type: "user.human.mfa.otp.added", payload: { otpSecret } },
    { type: "user.human.mfa.otp.verified", payload: {} },
  ];
}

/** @throws DecryptionError if the secret is not this user's */
export function openTotpSecret(
  encryptionKey: Uint8Array,
  userId: string,
  { secret }: { secret: string },
): string {
  return openText(encryptionKey, secret, totpBinding(userId));
}

function sealTotpSecret(encryptionKey: Uint8Array, userId: string, secret: string): string {
  return sealText(encryptionKey, secret, totpBinding(userId));
}

function totpBinding(userId: string): string {
  return `user/${userId}/totp`;
}
