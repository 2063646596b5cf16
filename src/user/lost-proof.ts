import type { UserEvent } from "./events.ts";
import type { UserState } from "./user.ts";

/** Something that proved the user and does so no longer, by the name of the sessions' factor that rests on it. */
export type LostProof =
  | { factor: "password" | "totp" | "otpSms" | "otpEmail" | "recoveryCode" }
  /** `credentialId`: ours. */
  | { factor: "webAuthN"; credentialId: string }
  | { factor: "intent"; idpId: string };

/**
 * What proved a user until these events. Whatever was no factor yet is none that could be lost: an app that waits for
 * its first code, a credential that waits for its authenticator, a phone that receives no codes.
 *
 * Neither is a first password. It takes back nothing that was proven, and is often set by the very sign-up that began
 * the session: ending that one would throw people out of their own registration.
 * @param user as it was before
 */
export function lostProofs(user: UserState, events: readonly UserEvent[]): LostProof[] {
  return events.flatMap((event) => lostBy(user, event) ?? []);
}

function lostBy(user: UserState, event: UserEvent): LostProof | undefined {
  switch (event.type) {
    case "user.human.password.changed":
      return user.passwordHash === null ? undefined : { factor: "password" };
    case "user.human.mfa.otp.removed":
      return user.totp?.ready ? { factor: "totp" } : undefined;
    case "user.human.phone.removed":
    case "user.human.mfa.otp.sms.removed":
      return user.otpSms ? { factor: "otpSms" } : undefined;
    case "user.human.mfa.otp.email.removed":
      return user.otpEmail ? { factor: "otpEmail" } : undefined;
    case "user.human.mfa.recoverycode.removed":
      return user.recoveryCodes === null ? undefined : { factor: "recoveryCode" };
    case "user.human.passwordless.token.removed":
    case "user.human.mfa.u2f.token.removed": {
      const { webAuthNTokenId: credentialId } = event.payload;
      const removed = user.webAuthN.find(({ id }) => id === credentialId);
      return removed?.pending === null ? { factor: "webAuthN", credentialId } : undefined;
    }
    case "user.human.externalidp.removed":
      return { factor: "intent", idpId: event.payload.idpConfigId };
    default:
      return undefined;
  }
}
