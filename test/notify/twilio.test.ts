import { describe, expect, test } from "vitest";
import { sendByTwilio } from "../../src/notify/twilio.ts";
import { checkVerification, startVerification } from "../../src/notify/twilio-verify.ts";
import { type ReceivedRequest, startReceiver } from "./http-receiver.ts";

const account = { sid: "AC0123", token: "auth-token" };
const provider = { ...account, senderNumber: "+15005550006" };
const service = { ...account, verifyServiceSid: "VA0456" };
const message = { recipient: "+41791234567", text: "12345678 is your sign-in code & more" };

const formOf = ({ body }: ReceivedRequest) => Object.fromEntries(new URLSearchParams(body));
const credentialsOf = ({ headers }: ReceivedRequest) =>
  Buffer.from(headers.authorization!.replace(/^Basic /, ""), "base64").toString();

describe("a text message", () => {
  test("is a form with sender, recipient and text, under the account's credentials", async () => {
    const twilio = await startReceiver(() => ({ status: 201, body: '{"sid":"SM1","status":"queued"}' }));
    expect(await sendByTwilio(provider, message, { baseUrl: twilio.url })).toEqual({ outcome: "delivered" });
    const [request] = twilio.requests;
    expect(request).toMatchObject({ method: "POST", path: "/2010-04-01/Accounts/AC0123/Messages.json" });
    expect(request!.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(credentialsOf(request!)).toBe("AC0123:auth-token");
    expect(formOf(request!)).toEqual({
      To: "+41791234567",
      From: "+15005550006",
      Body: "12345678 is your sign-in code & more",
    });
  });

  test("the account's id cannot lead anywhere else", async () => {
    const twilio = await startReceiver(() => ({ status: 201 }));
    await sendByTwilio({ ...provider, sid: "../../x?y#z" }, message, { baseUrl: twilio.url });
    expect(twilio.requests[0]!.path).toBe("/2010-04-01/Accounts/..%2F..%2Fx%3Fy%23z/Messages.json");
  });

  test.each([
    [400, '{"code":21211,"message":"The number 12345678 is not valid"}', "HTTP 400, Twilio 21211"],
    [404, "<html>", "HTTP 404"],
    [400, '{"code":"12345678"', "HTTP 400"],
    [400, "[]", "HTTP 400"],
  ])("%i %s is for good", async (status, body, reason) => {
    const twilio = await startReceiver(() => ({ status, body }));
    const delivery = await sendByTwilio(provider, message, { baseUrl: twilio.url });
    expect(delivery).toEqual({ outcome: "refused", reason });
  });

  test.each([401, 403, 408, 429, 500, 503, 302])("%i is for now", async (status) => {
    const twilio = await startReceiver(() => ({ status, headers: { location: "/x" } }));
    const delivery = await sendByTwilio(provider, message, { baseUrl: twilio.url });
    expect(delivery).toEqual({ outcome: "postponed", reason: `HTTP ${status}` });
    expect(twilio.requests).toHaveLength(1);
  });

  test("nobody answers: later", async () => {
    const silent = await startReceiver(() => "silence");
    const options = { baseUrl: silent.url, timeoutMs: 50 };
    expect(await sendByTwilio(provider, message, options)).toMatchObject({ outcome: "postponed" });
    await silent.close();
    expect(await sendByTwilio(provider, message, options)).toMatchObject({ outcome: "postponed" });
  });
});

describe("a code that Twilio makes (Verify)", () => {
  test("is started by number, and named by an id", async () => {
    const twilio = await startReceiver(() => ({ status: 201, body: '{"sid":"VE789","status":"pending"}' }));
    const started = await startVerification(service, "+41791234567", { baseUrl: twilio.url });
    expect(started).toEqual({ outcome: "delivered", verificationId: "VE789" });
    expect(twilio.requests[0]).toMatchObject({ method: "POST", path: "/v2/Services/VA0456/Verifications" });
    expect(formOf(twilio.requests[0]!)).toEqual({ To: "+41791234567", Channel: "sms" });
    expect(credentialsOf(twilio.requests[0]!)).toBe("AC0123:auth-token");
  });

  test.each([
    [
      { status: 400, body: '{"code":60200}' },
      { outcome: "refused", reason: "HTTP 400, Twilio 60200" },
    ],
    [{ status: 429 }, { outcome: "postponed", reason: "HTTP 429" }],
    [
      { status: 201, body: "{}" },
      { outcome: "postponed", reason: "the answer names no verification" },
    ],
    ["hang up", { outcome: "postponed" }],
  ] as const)("that is not started (%j): %j", async (reply, expected) => {
    const twilio = await startReceiver(() => reply);
    const started = await startVerification(service, "+41791234567", { baseUrl: twilio.url });
    expect(started).toMatchObject(expected);
  });

  test.each([
    [{ status: 200, body: '{"status":"approved","valid":true}' }, "approved"],
    [{ status: 200, body: '{"status":"pending","valid":false}' }, "wrong"],
    // No verification has such a code.
    [{ status: 400, body: '{"code":60200}' }, "wrong"],
    [{ status: 200, body: '{"status":"canceled"}' }, "gone"],
    [{ status: 200, body: '{"status":"max_attempts_reached"}' }, "gone"],
    [{ status: 404, body: '{"code":20404}' }, "gone"],
    [{ status: 429, body: '{"code":60202}' }, "gone"],
    [{ status: 200, body: "approved" }, "unavailable"],
    [{ status: 200, body: '{"status":"new to us"}' }, "unavailable"],
    [{ status: 400, body: '{"code":20001}' }, "unavailable"],
    [{ status: 401 }, "unavailable"],
    [{ status: 429 }, "unavailable"],
    [{ status: 500, body: '{"status":"approved"}' }, "unavailable"],
    ["hang up", "unavailable"],
  ] as const)("asked about (%j): %s", async (reply, outcome) => {
    const twilio = await startReceiver(() => reply);
    const verdict = await checkVerification(service, "VE789", "040718", { baseUrl: twilio.url });
    expect(verdict).toMatchObject({ outcome });
    expect(JSON.stringify(verdict)).not.toContain("040718");
    expect(twilio.requests).toHaveLength(1);
    expect(twilio.requests[0]).toMatchObject({ path: "/v2/Services/VA0456/VerificationCheck" });
    expect(formOf(twilio.requests[0]!)).toEqual({ VerificationSid: "VE789", Code: "040718" });
  });

  test("nobody answers in time: nothing is known", async () => {
    const silent = await startReceiver(() => "silence");
    const options = { baseUrl: silent.url, timeoutMs: 50 };
    expect(await checkVerification(service, "VE789", "040718", options)).toEqual({
      outcome: "unavailable",
      reason: "no answer within 50 ms",
    });
  });
});
