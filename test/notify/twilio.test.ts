import { describe, expect, test } from "vitest";
import { sendByTwilio } from "../../src/notify/twilio.ts";
import { type ReceivedRequest, startReceiver } from "./http-receiver.ts";

const provider = { sid: "AC0123", token: "auth-token", senderNumber: "+15005550006" };
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
