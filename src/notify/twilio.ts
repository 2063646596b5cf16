import { type Delivery, delivered, postponed, refused } from "./delivery.ts";
import { NoAnswer, type PostAnswer, post } from "./http-post.ts";

/** An account at Twilio, or at whoever speaks its API. */
export type TwilioProvider = {
  /** The account's SID; also the user name. */
  sid: string;
  token: string;
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
  { sid, token, senderNumber }: TwilioProvider,
  { recipient, text }: { recipient: string; text: string },
  { baseUrl = API_URL, timeoutMs = TIMEOUT_MS }: TwilioOptions = {},
): Promise<Delivery> {
  const url = `${baseUrl}/2010-04-01/Accounts/${encodeURIComponent(sid)}/Messages.json`;
  const headers = {
    authorization: `Basic ${Buffer.from(`${sid}:${token}`).toString("base64")}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const form = new URLSearchParams({ To: recipient, From: senderNumber, Body: text });
  try {
    return verdictOf(await post(url, headers, form.toString(), timeoutMs));
  } catch (error) {
    if (error instanceof NoAnswer) return postponed(error.message);
    throw error;
  }
}

/**
 * What an answer amounts to. 401 and 403 speak of the account and not of the message: once the operator has put that
 * right, the message can go.
 */
function verdictOf({ status, body }: PostAnswer): Delivery {
  if (status >= 200 && status < 300) return delivered;
  const code = errorCode(body);
  const reason = `HTTP ${status}${code === undefined ? "" : `, Twilio ${code}`}`;
  const isPermanent = status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
  return isPermanent ? refused(reason) : postponed(reason);
}

/** Twilio's own number for what is wrong. */
function errorCode(body: string): number | undefined {
  try {
    const code: unknown = JSON.parse(body)?.code;
    return Number.isSafeInteger(code) ? (code as number) : undefined;
  } catch {
    return undefined;
  }
}
