import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session } from "../../../src/gen/zitadel/session/v2/session_pb.js";
import { AuthenticationMethodType as Method } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";

/** One thing a session has proven. */
export type ProvenFactor = { name: string; at: Date; note: string };

/** What the session knows, in the order in which a person goes through it. */
export function provenFactors({ factors }: Session): ProvenFactor[] {
  const { user, password, webAuthN, intent, totp, otpEmail, otpSms, recoveryCode } = factors ?? {};
  const isPasskey = webAuthN?.userVerified;
  return [
    { name: "Login name", factor: user, note: "says who, proves nothing" },
    { name: "Password", factor: password, note: "something you know" },
    { name: "Identity provider", factor: intent, note: "someone vouches for you" },
    {
      name: isPasskey ? "Passkey" : "Security key",
      factor: webAuthN,
      note: `something you have, user ${isPasskey ? "verified" : "present"}`,
    },
    { name: "Authenticator app", factor: totp, note: "something you have" },
    { name: "Code by e-mail", factor: otpEmail, note: "something you receive" },
    { name: "Code by SMS", factor: otpSms, note: "something you receive" },
    { name: "Recovery code", factor: recoveryCode, note: "something you kept, used up now" },
  ].flatMap(({ name, factor, note }) => {
    const verifiedAt: Timestamp | undefined = factor?.verifiedAt;
    return verifiedAt ? [{ name, at: timestampDate(verifiedAt), note }] : [];
  });
}

/** Second factors, the one to offer first in front. */
export const secondFactors = [
  Method.TOTP,
  Method.U2F,
  Method.OTP_EMAIL,
  Method.OTP_SMS,
  Method.RECOVERY_CODE,
] as const;
export type SecondFactor = (typeof secondFactors)[number];

/** Whether two factors were proven, or a passkey, which is two in one: a device, and what unlocks it. */
export function isMultiFactor(session: Session): boolean {
  const [, ...proofs] = provenFactors(session);
  return session.factors?.webAuthN?.userVerified || proofs.length >= 2;
}

/**
 * Whether the session still lacks a second factor, by the rule that Gatehouse itself applies to session tokens: one who
 * has set one up must prove it. Recovery codes stand in for a second factor and are none to set up.
 */
export function lacksSecondFactor(session: Session, methods: readonly Method[]): boolean {
  const isSetUp = secondFactors.some((factor) => factor !== Method.RECOVERY_CODE && methods.includes(factor));
  return isSetUp && !isMultiFactor(session);
}
