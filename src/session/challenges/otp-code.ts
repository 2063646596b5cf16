import { oneTimeCode } from "../../crypto/one-time-code.ts";
import { knowsText, sealText } from "../../crypto/sealed-text.ts";
import { codeRecipe } from "../../organization/secret-generators.ts";
import type { OtpFactor } from "../../user/otp-factors.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";

/** Which code of a session it is, in bindings and in what messages are about. */
export const otpParts = { otpSms: "otp_sms", otpEmail: "otp_email" } as const satisfies {
  readonly [factor in OtpFactor]: string;
};

/** A fresh code: the text for its owner, and what the session keeps of it. */
export type NewOtp = { code: string; sealed: string; expiresAt: Date };

/** A code by the instance's recipe, sealed for this session alone. */
export async function newOtp(
  { organizations, encryptionKey }: Pick<SessionDependencies, "organizations" | "encryptionKey">,
  factor: OtpFactor,
  sessionId: string,
  at: Date,
): Promise<NewOtp> {
  const { symbols, length, lifetimeMs } = await codeRecipe(organizations, factor);
  const code = oneTimeCode(symbols, length);
  return {
    code,
    sealed: sealText(encryptionKey, code, otpBinding(factor, sessionId)),
    expiresAt: new Date(at.getTime() + lifetimeMs),
  };
}

/** Whether this is the session's code, to the letter. */
export function isOtp(
  encryptionKey: Uint8Array,
  factor: OtpFactor,
  sessionId: string,
  sealed: string,
  code: string,
): boolean {
  return knowsText(encryptionKey, sealed, otpBinding(factor, sessionId), code);
}

/** What texts and links of the message may name (spec user-slice §19). */
export function otpVariables(user: UserState, sessionId: string): Record<string, string> {
  return {
    UserID: user.id,
    SessionID: sessionId,
    LoginName: user.username,
    DisplayName: user.displayName ?? "",
    PreferredLanguage: user.preferredLanguage ?? "",
    UserName: user.username,
    FirstName: user.givenName ?? "",
    LastName: user.familyName ?? "",
    NickName: user.nickName ?? "",
  };
}

function otpBinding(factor: OtpFactor, sessionId: string): string {
  return `session/${sessionId}/${otpParts[factor]}`;
}
