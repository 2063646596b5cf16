import { type Delivery, postponed } from "./delivery.ts";
import { json, postForm, type TwilioAccount, type TwilioOptions, verdictOf } from "./twilio.ts";

/** A Verify service: Twilio makes the code, sends it, and says whether the one typed in is right. */
export type TwilioVerifyService = TwilioAccount & { verifyServiceSid: string };

/** `gone`: expired, approved before, or tried too often; nothing can be right any more. */
export type VerificationVerdict = "approved" | "wrong" | "gone" | "unavailable";

const API_URL = "https://verify.twilio.com";

/**
 * Has a code sent by SMS (Verify v2, Verifications resource).
 * @returns `delivered` with the verification's id, which {@link checkVerification} asks about
 */
export async function startVerification(
  service: TwilioVerifyService,
  recipient: string,
  options: TwilioOptions = {},
): Promise<Delivery> {
  const answer = await postForm(
    service,
    resource(service, "Verifications", options),
    { To: recipient, Channel: "sms" },
    options,
  );
  if ("outcome" in answer) return answer;
  const verdict = verdictOf(answer);
  if (verdict.outcome !== "delivered") return verdict;
  const verificationId = json(answer.body)?.sid;
  return typeof verificationId === "string" && verificationId !== ""
    ? { outcome: "delivered", verificationId }
    : postponed("the answer names no verification");
}

/** Asks whether the code is right (Verify v2, VerificationCheck resource); a right one can be asked about once. */
export async function checkVerification(
  service: TwilioVerifyService,
  verificationId: string,
  code: string,
  options: TwilioOptions = {},
): Promise<VerificationVerdict> {
  const answer = await postForm(
    service,
    resource(service, "VerificationCheck", options),
    { VerificationSid: verificationId, Code: code },
    options,
  );
  if ("outcome" in answer) return "unavailable";
  const { outcome } = verdictOf(answer);
  // The API forgets a verification once it is approved, expired or tried five times.
  if (outcome !== "delivered") return answer.status === 404 ? "gone" : "unavailable";
  const status = json(answer.body)?.status;
  if (typeof status !== "string") return "unavailable";
  return status === "approved" ? "approved" : status === "pending" ? "wrong" : "gone";
}

const resource = (
  { verifyServiceSid }: TwilioVerifyService,
  name: string,
  { baseUrl = API_URL }: TwilioOptions,
): string => `${baseUrl}/v2/Services/${encodeURIComponent(verifyServiceSid)}/${name}`;
