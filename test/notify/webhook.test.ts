import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  isWebhookEndpoint,
  sendToWebhook,
  signatureOf,
  type WebhookProvider,
} from "../../src/notify/webhook.ts";
import { isSigned, type Reply, startReceiver } from "./http-receiver.ts";
import { mail, sms } from "./messages.ts";

const provider = (endpoint: string): WebhookProvider => ({
  id: "provider-1",
  description: "text messages",
  endpoint,
  signingKey: "signing-key-of-the-test",
});

describe("what is sent", () => {
  test("a text message: context, texts and variables, signed", async () => {
    const receiver = await startReceiver();
    const now = new Date("2026-07-01T12:00:00.999Z");
    const delivery = await sendToWebhook(provider(`${receiver.url}/sms?to=us`), sms(), { now });
    expect(delivery).toEqual({ outcome: "delivered" });
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: "POST", path: "/sms?to=us" });
    expect(request!.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": sms().id,
    });
    expect(JSON.parse(request!.body)).toEqual({
      contextInfo: {
        eventType: "session.otp.sms.challenged",
        provider: { id: "provider-1", description: "text messages" },
        recipientPhoneNumber: "+41791234567",
      },
      templateData: { ...sms().content, url: "" },
      args: { code: "12345678", userID: "ada" },
    });
    expect(request!.headers["zitadel-signature"]).toMatch(/^t=1782907200,v1=[0-9a-f]{64}$/);
    expect(isSigned(request!, "signing-key-of-the-test")).toBe(true);
    expect(isSigned(request!, "another key")).toBe(false);
    expect(isSigned({ ...request!, body: `${request!.body} ` }, "signing-key-of-the-test")).toBe(false);
  });

  test("a mail: the address and the link", async () => {
    const receiver = await startReceiver();
    await sendToWebhook(provider(receiver.url), mail());
    const { contextInfo, templateData } = JSON.parse(receiver.requests[0]!.body);
    expect(contextInfo.recipientEmailAddress).toBe("ada@example.org");
    expect(contextInfo).not.toHaveProperty("recipientPhoneNumber");
    expect(templateData.url).toBe("https://app.example.com/otp?code=12345678&user=ada%20l");
    expect(Object.keys(templateData).sort()).toEqual([
      "buttonText",
      "greeting",
      "preHeader",
      "subject",
      "text",
      "title",
      "url",
    ]);
  });

  test("the signature is the HMAC of time and body, character by character", () => {
    const mac = createHmac("sha256", "k\u00e9y").update('1700000000.{"a":"\u00fc"}').digest("hex");
    expect(signatureOf("k\u00e9y", '{"a":"\u00fc"}', new Date(1_700_000_000_999))).toBe(
      `t=1700000000,v1=${mac}`,
    );
  });
});

describe("what the receiver says", () => {
  test.each([200, 201, 202, 204, 299])("%i is delivered", async (status) => {
    const receiver = await startReceiver(() => ({ status }));
    expect(await sendToWebhook(provider(receiver.url), sms())).toEqual({ outcome: "delivered" });
  });

  test.each([400, 401, 403, 404, 409, 410, 422, 499])("%i is for good", async (status) => {
    const receiver = await startReceiver(() => ({ status, body: "12345678 is not welcome" }));
    const delivery = await sendToWebhook(provider(receiver.url), sms());
    expect(delivery).toEqual({ outcome: "refused", reason: `HTTP ${status}` });
  });

  test.each([408, 429, 500, 502, 503, 504, 304])("%i is for now", async (status) => {
    const receiver = await startReceiver(() => ({ status }));
    const delivery = await sendToWebhook(provider(receiver.url), sms());
    expect(delivery).toEqual({ outcome: "postponed", reason: `HTTP ${status}` });
  });

  test.each([301, 302, 303, 307, 308])("%i is not followed, not even on the same host", async (status) => {
    const receiver = await startReceiver(
      ({ path }): Reply => (path === "/" ? { status, headers: { location: "/elsewhere" } } : { status: 200 }),
    );
    expect(await sendToWebhook(provider(`${receiver.url}/`), sms())).toMatchObject({ outcome: "postponed" });
    expect(receiver.requests.map(({ path }) => path)).toEqual(["/"]);
  });

  test("a long answer is not read to its end", async () => {
    const receiver = await startReceiver(() => ({ status: 200, body: "x".repeat(50_000_000) }));
    expect(await sendToWebhook(provider(receiver.url), sms())).toEqual({ outcome: "delivered" });
  });
});

describe("a receiver that is in trouble", () => {
  test("hangs up: later", async () => {
    const receiver = await startReceiver(() => "hang up");
    expect(await sendToWebhook(provider(receiver.url), sms())).toMatchObject({ outcome: "postponed" });
  });

  test("is not there: later", async () => {
    const receiver = await startReceiver();
    await receiver.close();
    const delivery = await sendToWebhook(provider(receiver.url), sms());
    expect(delivery).toEqual({ outcome: "postponed", reason: "no connection (ECONNREFUSED)" });
  });

  test("says nothing: later, after the time it is given", async () => {
    const receiver = await startReceiver(() => "silence");
    const delivery = await sendToWebhook(provider(receiver.url), sms(), { timeoutMs: 50 });
    expect(delivery).toEqual({ outcome: "postponed", reason: "no answer within 50 ms" });
  });
});

test.each([
  ["https://sms.example.com/send?to=us", true],
  ["http://127.0.0.1:8080", true],
  ["", false],
  ["sms.example.com", false],
  ["ftp://sms.example.com", false],
  ["file:///etc/passwd", false],
  ["https://user:password@sms.example.com", false],
  ["https://sms.example.com/#part", false],
])("%j as an endpoint: %s", (text, allowed) => {
  expect(isWebhookEndpoint(text)).toBe(allowed);
});
