import { type Delivery, delivered, postponed, refused } from "./delivery.ts";
import { NoAnswer, type PostAnswer, post } from "./http-post.ts";

/** An account at Twilio, or at whoever speaks its API. */
export type TwilioAccount = {
  /** The account's SID; also the user name. */
  sid: string;
  token: string;
};

export type TwilioProvider = TwilioAccount & {
  /** The number, or the name, the message comes from. */
  senderNumber: string;
};

export type TwilioOptions = {
  /** Where the API is; without a slash at the end. */
  baseUrl?: string | undefined;
  timeoutMs?: number;
};

const API_URL = "https://api.twilio.com";
const TIMEOUT_MS = 10_000;

/** Sends a text message (Twilio's Messages resource, API version 2010-04-01). */
export async function sendByTwilio(
  { senderNumber, ...account }: TwilioProvider,
  { recipient, text }: { recipient: string; text: string },
  { baseUrl = API_URL, ...options }: TwilioOptions = {},
): Promise<Delivery> {
  const url = `${baseUrl}/2010-04-01/Accounts/${encodeURIComponent(account.sid)}/Messages.json`;
  const answer = await postForm(account, url, { To: recipient, From: senderNumber, Body: text }, options);
  return "unanswered" in answer ? postponed(answer.unanswered) : verdictOf(answer);
}

/**
 * One form to an API of Twilio's, under the account's credentials.
 * @returns the answer, or why there is none
 */
export async function postForm(
  { sid, token }: TwilioAccount,
  url: string,
  form: Record<string, string>,
  { timeoutMs = TIMEOUT_MS }: TwilioOptions = {},
): Promise<PostAnswer | { unanswered: string }> {
  const headers = {
    authorization: `Basic ${Buffer.from(`${sid}:${token}`).toString("base64")}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  try {
    return await post(url, headers, new URLSearchParams(form).toString(), timeoutMs);
  } catch (error) {
    if (error instanceof NoAnswer) return { unanswered: error.message };
    throw error;
  }
}

/**
 * What an answer amounts to. 401 and 403 speak of the account and not of the message: once the operator has put that
 * right, the message can go.
 */
export function verdictOf({ status, body }: PostAnswer): Delivery {
  if (status >= 200 && status < 300) return delivered;
  const code = twilioCode(body);
  const reason = `HTTP ${status}${code === undefined ? "" : `, Twilio ${code}`}`;
  const isPermanent = status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
  return isPermanent ? refused(reason) : postponed(reason);
}

/** Twilio's own number for what is wrong. */
export function twilioCode(body: string): number | undefined {
  const code = json(body)?.code;
  return Number.isSafeInteger(code) ? (code as number) : undefined;
}

/** The object in an answer's body; undefined if there is none. */
export function json(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
