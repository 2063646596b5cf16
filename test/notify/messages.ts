import type { Message } from "../../src/notify/message.ts";
import { mailText, smsText } from "../../src/notify/templates.ts";

const facts = {
  code: "12345678",
  displayName: "Ada Lovelace",
  domain: "auth.example.com",
  lifetimeMs: 300_000,
};

/** A code on its way to Ada's mailbox. */
export const mail = (overrides: Partial<Message> = {}): Message => ({
  id: "0192f000-0000-7000-8000-000000000001",
  kind: "VerifyEmailOTP",
  channel: "email",
  recipient: "ada@example.org",
  eventType: "session.otp.email.challenged",
  content: mailText("VerifyEmailOTP", facts),
  url: "https://app.example.com/otp?code=12345678&user=ada%20l",
  args: { code: "12345678", userID: "ada", expiry: 300_000_000_000 },
  ...overrides,
});

/** A code on its way to Ada's telephone. */
export const sms = (overrides: Partial<Message> = {}): Message => ({
  id: "0192f000-0000-7000-8000-000000000002",
  kind: "VerifySMSOTP",
  channel: "sms",
  recipient: "+41791234567",
  eventType: "session.otp.sms.challenged",
  content: smsText("VerifySMSOTP", facts),
  args: { code: "12345678", userID: "ada" },
  ...overrides,
});
