import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import type { Details } from "../storage/details.ts";
import { changeFactor } from "./change-factor.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import type { UserState } from "./user.ts";

/** A factor whose codes are sent: to the phone, or by e-mail. */
export type OtpFactor = "otpSms" | "otpEmail";

/** What tells the two apart (spec user-slice §8). */
const factors = {
  otpSms: {
    events: "user.human.mfa.otp.sms",
    isVerified: (user: UserState) => user.phoneVerified,
    exists: "user.otp_sms_exists",
    unverified: "user.otp_sms_phone_unverified",
    notFound: "user.otp_sms_not_found",
  },
  otpEmail: {
    events: "user.human.mfa.otp.email",
    isVerified: (user: UserState) => user.emailVerified,
    exists: "user.otp_email_exists",
    unverified: "user.otp_email_unverified",
    notFound: "user.otp_email_not_found",
  },
} as const;

/**
 * Lets a person receive codes; where they go must be verified at this moment. A later change of address or number
 * takes nothing away: codes go to the last one that was verified.
 * @throws DomainError `auth.permission_denied`, `user.otp_user_not_found`, `…_exists`, `…_unverified`
 */
export function addOtpFactor(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
  factor: OtpFactor,
): Promise<Details> {
  const act = { permission: "user.credential.write", notFound: "user.otp_user_not_found" } as const;
  return changeFactor(dependencies, caller, userId, act, (user) => decideAddOtpFactor(user, factor));
}

export function decideAddOtpFactor(user: UserState, factor: OtpFactor): UserEvent[] {
  const { events, isVerified, exists, unverified } = factors[factor];
  if (user[factor]) throw new DomainError(exists);
  if (!isVerified(user)) throw new DomainError(unverified);
  return [{ type: `${events}.added`, payload: {} }];
}

/** @throws DomainError `auth.permission_denied`, `…_not_found` */
export function removeOtpFactor(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
  factor: OtpFactor,
): Promise<Details> {
  const { events, notFound } = factors[factor];
  return changeFactor(dependencies, caller, userId, { permission: "user.write", notFound }, (user) => {
    if (!user[factor]) throw new DomainError(notFound);
    return [{ type: `${events}.removed`, payload: {} }];
  });
}
