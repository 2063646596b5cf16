import type { SecondFactorPolicy } from "../organization/second-factor-policy.ts";
import type { SessionBearer } from "../storage/caller-repository.ts";
import type { SessionUser } from "../storage/session-repository.ts";
import { passwordCheckedAt, type SessionState } from "./session.ts";

/** A factor a session has proven; WebAuthn is a passkey if the user was verified, else a security key. */
export type ProvenFactor =
  | "password"
  | "passkey"
  | "u2f"
  | "idp"
  | "totp"
  | "otpSms"
  | "otpEmail"
  | "recoveryCode";

/** What was proven and still counts. The user check is none: it says whom a session is about, not that it is so. */
export function provenFactors(session: SessionState, user: SessionUser | null): ProvenFactor[] {
  const { webAuthN, intent, totp, otpSms, otpEmail, recoveryCode } = session.factors;
  const factors: [ProvenFactor, unknown][] = [
    ["password", passwordCheckedAt(session, user)],
    [webAuthN?.userVerified ? "passkey" : "u2f", webAuthN],
    ["idp", intent],
    ["totp", totp],
    ["otpSms", otpSms],
    ["otpEmail", otpEmail],
    ["recoveryCode", recoveryCode],
  ];
  return factors.filter(([, check]) => check !== undefined).map(([factor]) => factor);
}

/**
 * Whether what was proven is enough to act as the user (spec authorization §4). More than one factor is demanded of a
 * person who has a second one set up that the settings allow, or if the settings demand it of everybody; a passkey is
 * two in one: having it, and being its owner.
 */
export function missingProof(
  proven: readonly ProvenFactor[],
  bearer: Omit<SessionBearer, "settings" | "memberships">,
  policy: SecondFactorPolicy,
): "auth.authentication_required" | "auth.mfa_required" | undefined {
  if (proven.length === 0) return "auth.authentication_required";
  if (proven.length > 1 || proven.includes("passkey") || bearer.userType === "machine") return undefined;
  const isForced = policy.forced === "always" || (policy.forced === "locally" && !proven.includes("idp"));
  return isForced || policy.allowed.some((type) => bearer[type]) ? "auth.mfa_required" : undefined;
}
