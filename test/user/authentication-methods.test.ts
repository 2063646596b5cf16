import { describe, expect, it } from "vitest";
import { authenticationMethods } from "../../src/user/authentication-methods.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { givenUser } from "../support/given.ts";

const registration = (kind: "passwordless" | "mfa.u2f", id: string, rpID: string): UserEvent => ({
  type: `user.human.${kind}.token.added`,
  payload: {
    webAuthNTokenId: id,
    challenge: "c",
    rpID,
    expiresAt: "2026-07-10T09:05:00Z",
    registeredBy: "mia",
  },
});
const verification = (kind: "passwordless" | "mfa.u2f", id: string): UserEvent => ({
  type: `user.human.${kind}.token.verified`,
  payload: {
    webAuthNTokenId: id,
    keyId: id,
    publicKey: "p",
    attestationType: "none",
    aaguid: "",
    signCount: 0,
    webAuthNTokenName: id,
    transports: [],
    backupEligible: false,
    backedUp: false,
  },
});
const key = (kind: "passwordless" | "mfa.u2f", id: string, rpId: string) => [
  registration(kind, id, rpId),
  verification(kind, id),
];

const totpAdded: UserEvent = { type: "user.human.mfa.otp.added", payload: { otpSecret: "s" } };
const codes = (...digests: string[]): UserEvent => ({
  type: "user.human.mfa.recoverycode.added",
  payload: { codes: digests },
});

describe("the ways a user could sign in", () => {
  it.each<[string, UserEvent[], string[]]>([
    ["a password", [], ["password"]],
    [
      "an authenticator app",
      [totpAdded, { type: "user.human.mfa.otp.verified", payload: {} }],
      ["password", "totp"],
    ],
    ["an authenticator app that was never proven", [totpAdded], ["password"]],
    [
      "an account elsewhere",
      [{ type: "user.human.externalidp.added", payload: { idpConfigId: "i", userId: "u", displayName: "" } }],
      ["password", "idp"],
    ],
    [
      "codes by SMS and e-mail",
      [
        { type: "user.human.mfa.otp.email.added", payload: {} },
        { type: "user.human.mfa.otp.sms.added", payload: {} },
      ],
      ["password", "otpSms", "otpEmail"],
    ],
    ["a passkey", key("passwordless", "k", "a.example"), ["password", "passkey"]],
    ["a passkey that was never proven", [registration("passwordless", "k", "a.example")], ["password"]],
    ["a security key", key("mfa.u2f", "k", "a.example"), ["password", "u2f"]],
    ["recovery codes", [codes("d")], ["password", "recoveryCode"]],
    [
      "recovery codes, all of them used",
      [codes("d"), { type: "user.human.mfa.recoverycode.check.succeeded", payload: { codeChecked: "d" } }],
      ["password"],
    ],
  ])("%s", (_, history, methods) => {
    expect(authenticationMethods(givenUser(...history))).toEqual(methods);
  });

  it("are none without anything", () => {
    const { passwordHash: _, ...user } = givenUser();
    expect(authenticationMethods({ ...user, passwordHash: null })).toEqual([]);
  });

  describe("on one domain", () => {
    const user = givenUser(
      ...key("passwordless", "k1", "a.example"),
      ...key("mfa.u2f", "k2", "b.example"),
      ...key("mfa.u2f", "k3", ""),
    );
    it.each([
      ["a.example", false, ["password", "passkey"]],
      ["b.example", false, ["password", "u2f"]],
      ["a.example", true, ["password", "passkey", "u2f"]],
      ["c.example", false, ["password"]],
      ["c.example", true, ["password", "u2f"]],
      ["", false, ["password"]],
      ["sub.a.example", false, ["password"]],
    ] as const)("%j, those without one too: %s", (domain, includeWithoutDomain, methods) => {
      expect(authenticationMethods(user, { domain, includeWithoutDomain })).toEqual(methods);
    });
  });
});
