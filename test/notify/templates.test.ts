import { describe, expect, test } from "vitest";
import type { MailKind, SmsKind } from "../../src/notify/message.ts";
import { durationInWords, mailText, smsText, type TextFacts } from "../../src/notify/templates.ts";

const facts: TextFacts = {
  code: "K7Q2ZD",
  displayName: "Ada Lovelace",
  domain: "auth.example.com",
  lifetimeMs: 3_600_000,
};

const mailKinds: MailKind[] = ["VerifyEmailOTP", "VerifyEmail", "PasswordReset", "PasskeyRegistration"];
const smsKinds: SmsKind[] = ["VerifySMSOTP", "VerifyPhone", "PasswordReset"];

describe.each(mailKinds)("a %s mail", (kind) => {
  test("greets by name, has the code in its text and nowhere else, and says how long it is good for", () => {
    const { greeting, text, ...others } = mailText(kind, facts);
    expect(greeting).toBe("Hello Ada Lovelace,");
    expect(text).toContain("K7Q2ZD");
    expect(text).toContain("1 hour");
    expect(JSON.stringify(others)).not.toContain("K7Q2ZD");
    expect(others.subject).toMatch(/^[\x20-\x7e]+ \(auth\.example\.com\)$/);
    for (const part of Object.values(others)) expect(part).not.toBe("");
  });

  test("greets whoever has no name, or one that is no name", () => {
    expect(mailText(kind, { ...facts, displayName: " \n" }).greeting).toBe("Hello,");
    const paragraphs = mailText(kind, {
      ...facts,
      displayName: "You\r\n\r\nwon\u2028one\u0007million",
    }).greeting;
    expect(paragraphs).toBe("Hello You won one million,");
    expect(mailText(kind, { ...facts, displayName: "x".repeat(200) }).greeting).toHaveLength(107);
  });
});

test("each mail says what it is for in words of its own", () => {
  for (const part of ["title", "preHeader", "text", "buttonText"] as const) {
    const texts = mailKinds.map((kind) => mailText(kind, facts)[part]);
    expect(new Set(texts).size).toBeGreaterThanOrEqual(4 - Number(part === "title"));
  }
});

test("a passkey registration names the number of its code", () => {
  expect(mailText("PasskeyRegistration", { ...facts, codeId: "code-7" }).text).toContain("number code-7");
});

describe.each(smsKinds)("a %s text message", (kind) => {
  test("is one SMS in the alphabet of telephones: at most 160 plain characters, code first", () => {
    const { text, ...others } = smsText(kind, facts);
    expect(text).toMatch(/^K7Q2ZD [\x20-\x7e]*auth\.example\.com[\x20-\x7e]*1 hour/);
    expect(text.length).toBeLessThanOrEqual(160);
    expect(Object.values(others).join("")).toBe("");
  });
});

test.each([
  [300_000, "5 minutes"],
  [60_000, "1 minute"],
  [119_999, "1 minute"],
  [3_600_000, "1 hour"],
  [7_200_000, "2 hours"],
  [5_400_000, "90 minutes"],
  [59_999, "59 seconds"],
  [1_000, "1 second"],
  [0, "0 seconds"],
  [-5, "0 seconds"],
])("%i ms are %s", (ms, words) => {
  expect(durationInWords(ms)).toBe(words);
});
