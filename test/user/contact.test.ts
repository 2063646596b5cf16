import { describe, expect, it } from "vitest";
import { decrypt } from "../../src/crypto/encryption.ts";
import { codeAlphabets } from "../../src/crypto/one-time-code.ts";
import {
  type CodeIssuer,
  changeEmail,
  changePhone,
  normalizedEmail,
  normalizedPhone,
} from "../../src/user/contact.ts";
import { issueCode, judgeCode } from "../../src/user/issued-code.ts";
import { givenUser, START } from "../support/given.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const issue: CodeIssuer = (userId, kind) => ({
  text: "ABC123",
  payload: { code: `${userId} ${kind}`, expiresAt: "2026-07-10T10:00:00.000Z" },
});

describe("an e-mail address", () => {
  it.each(["mia@example.com", "  mia@example.com\n", "m+i.a_1@sub.example.co", "x@localhost"])(
    "%j is taken, trimmed",
    (text) => {
      expect(normalizedEmail(text)).toBe(text.trim());
    },
  );

  it.each(["", "   "])("%j is empty", (text) => {
    expect(() => normalizedEmail(text)).toThrow(slug("user.email_empty"));
  });

  it.each([
    "mia",
    "@example.com",
    "mia@",
    "a@b@c",
    "mia @example.com",
    "mia@-example.com",
    "mia@example..com",
    "mia@exa_mple.com",
  ])("%j is refused", (text) => {
    expect(() => normalizedEmail(text)).toThrow(slug("user.email_invalid"));
  });
});

describe("a phone number", () => {
  it.each([
    ["+41 79 123 45 67", "+41791234567"],
    ["079 123 45 67", "+41791234567"],
    ["0041791234567", "+41791234567"],
    ["+49 (1520) 1234567", "+4915201234567"],
  ])("%j becomes %s", (text, expected) => {
    expect(normalizedPhone(text)).toBe(expected);
  });

  it("left empty stands for none", () => {
    expect(normalizedPhone(" ")).toBeNull();
  });

  it.each(["abc", "12", "+", "call +41791234567 now", "+999123456789"])("%j is refused", (text) => {
    expect(() => normalizedPhone(text)).toThrow(slug("user.phone_invalid"));
  });
});

describe("a new e-mail address", () => {
  const changed = { type: "user.human.email.changed", payload: { email: "new@example.com" } };
  const verified = { type: "user.human.email.verified", payload: {} };
  const code = { type: "user.human.email.code.added", payload: issue("mia", "email").payload };

  it.each([
    ["verified", [changed, verified], undefined],
    ["return", [changed, code], "ABC123"],
    ["send", [changed, code], undefined],
    ["none", [changed, code], undefined],
  ] as const)("with verification %s", (verification, events, returned) => {
    const change = changeEmail(givenUser(), { text: " new@example.com ", verification }, issue);
    expect(change.events).toEqual(events);
    expect(change.returned).toBe(returned);
    // Sent to its owner or handed to the caller, never both.
    expect(change.unsent !== undefined).toBe(["send", "none"].includes(verification));
  });

  it("that is the old one changes nothing, unless its verification is asked for", () => {
    const same = (verification: "none" | "return" | "verified", user = givenUser()) =>
      changeEmail(user, { text: "mia@acme.localhost", verification }, issue).events;
    expect(same("none")).toEqual([]);
    expect(same("return")).toEqual([code]);
    expect(same("verified")).toEqual([verified]);
    expect(same("verified", givenUser({ type: "user.human.email.verified", payload: {} }))).toEqual([]);
  });
});

describe("a new phone number", () => {
  it("left empty removes the one there is, once", () => {
    const empty = { text: "", verification: "none" } as const;
    const user = givenUser({ type: "user.human.phone.changed", payload: { phone: "+41791234567" } });
    expect(changePhone(user, empty, issue).events).toEqual([
      { type: "user.human.phone.removed", payload: {} },
    ]);
    expect(changePhone(givenUser(), empty, issue).events).toEqual([]);
  });

  it("written otherwise is the same number", () => {
    const user = givenUser({ type: "user.human.phone.changed", payload: { phone: "+41791234567" } });
    expect(changePhone(user, { text: "079 123 45 67", verification: "none" }, issue).events).toEqual([]);
  });
});

describe("a verification code", () => {
  const encryptionKey = new Uint8Array(32);
  const recipe = { symbols: codeAlphabets.upperAndDigits, length: 6, lifetimeMs: 3_600_000 };
  const at = (now: Date) => ({ encryptionKey, clock: () => now });
  const { text, payload } = issueCode(at(START), recipe, "mia", "email_code");
  const stored = { encrypted: payload.code, expiresAt: payload.expiresAt };
  const later = (ms: number) => at(new Date(START.getTime() + ms));

  it("is made by its recipe, and lives as long as that says", () => {
    expect(text).toMatch(/^[A-Z0-9]{6}$/);
    expect(payload.expiresAt).toBe("2026-07-10T10:00:00.000Z");
  });

  it("is stored encrypted, for this user and this address only", () => {
    const sealed = Buffer.from(payload.code, "base64");
    expect(Buffer.from(decrypt(encryptionKey, sealed, "user/mia/email_code")).toString()).toBe(text);
    expect(() => decrypt(encryptionKey, sealed, "user/leo/email_code")).toThrow();
    expect(() => decrypt(encryptionKey, sealed, "user/mia/phone_code")).toThrow();
  });

  it("is right to the letter, and only then", () => {
    const judged = (given: string) => judgeCode(at(START), stored, "mia", "email_code", given);
    expect(judged(text)).toBe("right");
    const wrongs = [`${text} `, ` ${text}`, text.slice(1), `${text}A`, "", "ABC123 or so", `${text}\0`];
    expect(wrongs.map(judged)).toEqual(wrongs.map(() => "wrong"));
    expect(judgeCode(at(START), null, "mia", "email_code", text)).toBe("none");
  });

  it("expires after its time, right or wrong", () => {
    const judged = (ms: number, given: string) => judgeCode(later(ms), stored, "mia", "email_code", given);
    expect(judged(3_600_000, text)).toBe("right");
    expect(judged(3_600_001, text)).toBe("expired");
    expect(judged(3_600_001, "wrong")).toBe("expired");
  });

  it("is waited for no longer once it was guessed at a hundred times", () => {
    const guessed = (failedAttempts: number) =>
      judgeCode(at(START), { ...stored, failedAttempts }, "mia", "email_code", text);
    expect(guessed(99)).toBe("right");
    expect(guessed(100)).toBe("none");
  });
});
