import { postponed, type Undelivered } from "./delivery.ts";
import { json, postForm, type TwilioAccount, type TwilioOptions, twilioCode, verdictOf } from "./twilio.ts";

/** A Verify service: Twilio makes the code, sends it, and says whether the one typed in is right. */
export type TwilioVerifyService = TwilioAccount & { verifyServiceSid: string };

/** How long a verification can be answered, in milliseconds; the service has it so and says nothing of it. */
export const VERIFICATION_LIFETIME_MS = 600_000;

/**
 * What became of a question about a code.
 *
 * - `gone`: expired, approved before, or tried too often; nothing can be right any more.
 * - `unavailable`: no answer, or none about the code. `reason` is for logs and says nothing of the code.
 */
export type VerificationVerdict =
  | { outcome: "approved" | "wrong" | "gone" }
  | { outcome: "unavailable"; reason: string };

/** What became of one attempt to have a code sent; the id is what {@link checkVerification} asks about. */
export type StartedVerification = { outcome: "delivered"; verificationId: string } | Undelivered;

const API_URL = "https://verify.twilio.com";

/** An approved, an expired and a forgotten verification look the same. */
const NOT_FOUND = 404;
/** Twilio's numbers for a code no verification could have, and for the sixth attempt. */
const INVALID_PARAMETER = 60200;
const MAX_CHECK_ATTEMPTS = 60202;

/** Has a code sent by SMS (Verify v2, Verifications resource). Again for the same number, it is the same code. */
export async function startVerification(
  service: TwilioVerifyService,
  recipient: string,
  options: TwilioOptions = {},
): Promise<StartedVerification> {
  const url = resource(service, "Verifications", options);
  const answer = await postForm(service, url, { To: recipient, Channel: "sms" }, options);
  if ("unanswered" in answer) return postponed(answer.unanswered);
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
  const url = resource(service, "VerificationCheck", options);
  const form = { VerificationSid: verificationId, Code: code };
  const answer = await postForm(service, url, form, options);
  if ("unanswered" in answer) return { outcome: "unavailable", reason: answer.unanswered };
  const { status, body } = answer;
  const verdict = verdictOf(answer);
  if (verdict.outcome !== "delivered") {
    if (status === NOT_FOUND || twilioCode(body) === MAX_CHECK_ATTEMPTS) return { outcome: "gone" };
    // The code is all in the form that somebody typed in.
    if (status === 400 && twilioCode(body) === INVALID_PARAMETER) return { outcome: "wrong" };
    return { outcome: "unavailable", reason: verdict.reason };
  }
  switch (json(body)?.status) {
    case "approved":
      return { outcome: "approved" };
    case "pending":
      return { outcome: "wrong" };
    case "canceled":
    case "expired":
    case "failed":
    case "deleted":
    case "max_attempts_reached":
      return { outcome: "gone" };
    default:
      return { outcome: "unavailable", reason: "the answer says nothing of the verification" };
  }
}

const resource = (
  { verifyServiceSid }: TwilioVerifyService,
  name: string,
  { baseUrl = API_URL }: TwilioOptions,
): string => `${baseUrl}/v2/Services/${encodeURIComponent(verifyServiceSid)}/${name}`;
