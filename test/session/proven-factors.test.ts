import { describe, expect, it } from "vitest";
import { type SecondFactorPolicy, secondFactorPolicy } from "../../src/organization/second-factor-policy.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { missingProof, type ProvenFactor, provenFactors } from "../../src/session/proven-factors.ts";
import { givenSession, givenUser, START, sessionUser } from "../support/given.ts";

const checkedAt = START.toISOString();
const checks = {
  user: {
    type: "session.user.checked",
    payload: { userID: "mia", userResourceOwner: "acme", userEpoch: 0, checkedAt },
  },
  password: { type: "session.password.checked", payload: { checkedAt, passwordEpoch: 0 } },
  idp: { type: "session.intent.checked", payload: { checkedAt } },
  passkey: { type: "session.webAuthN.checked", payload: { checkedAt, userVerified: true } },
  u2f: { type: "session.webAuthN.checked", payload: { checkedAt } },
  totp: { type: "session.totp.checked", payload: { checkedAt } },
  otpSms: { type: "session.otp.sms.checked", payload: { checkedAt } },
  otpEmail: { type: "session.otp.email.checked", payload: { checkedAt } },
  recoveryCode: { type: "session.recoveryCode.checked", payload: { checkedAt } },
} as const satisfies Record<string, SessionEvent>;
type Check = keyof typeof checks;

const proven = (...done: Check[]) =>
  provenFactors(givenSession(checks.user, ...done.map((check) => checks[check])), sessionUser(givenUser()));

describe("what a session has proven", () => {
  it.each<[string, Check[], ProvenFactor[]]>([
    ["nothing", [], []],
    ["S-168: password checked", ["password"], ["password"]],
    ["S-169: WebAuthn checked, the user verified", ["passkey"], ["passkey"]],
    ["WebAuthn checked, the user only present", ["u2f"], ["u2f"]],
    ["S-172: authenticator app checked", ["totp"], ["totp"]],
    ["S-173: code by SMS checked", ["otpSms"], ["otpSms"]],
    ["S-174: code by e-mail checked", ["otpEmail"], ["otpEmail"]],
    ["S-175: recovery code checked", ["recoveryCode"], ["recoveryCode"]],
    ["identity provider asked", ["idp"], ["idp"]],
    ["the same twice", ["totp", "totp"], ["totp"]],
    ["a passkey, then a security key", ["passkey", "u2f"], ["u2f"]],
    [
      "all of them",
      ["recoveryCode", "otpEmail", "otpSms", "totp", "idp", "passkey", "password"],
      ["password", "passkey", "idp", "totp", "otpSms", "otpEmail", "recoveryCode"],
    ],
  ])("%s", (_, done, factors) => {
    expect(proven(...done)).toEqual(factors);
  });

  it("is not an old password", () => {
    const user = givenUser({
      type: "user.human.password.changed",
      payload: { encodedHash: "hash-2", changeRequired: false },
    });
    const session = givenSession(checks.user, checks.password, checks.totp);
    expect(provenFactors(session, sessionUser(user))).toEqual(["totp"]);
  });
});

const nothingSetUp = {
  userType: "human" as const,
  totp: false,
  u2f: false,
  otpSms: false,
  otpEmail: false,
};
const anyFactor: SecondFactorPolicy = { allowed: ["totp", "u2f", "otpEmail", "otpSms"], forced: "never" };
const setUps = ["totp", "u2f", "otpSms", "otpEmail"] as const;
const singles = ["password", "u2f", "idp", "totp", "otpSms", "otpEmail", "recoveryCode"] as const;

describe("what a session token still lacks as a credential", () => {
  it("is any proof at all, whoever the user is and whatever is demanded", () => {
    expect(missingProof([], nothingSetUp, anyFactor)).toBe("auth.authentication_required");
    expect(missingProof([], { ...nothingSetUp, userType: "machine" }, anyFactor)).toBe(
      "auth.authentication_required",
    );
    expect(missingProof([], { ...nothingSetUp, totp: true }, { ...anyFactor, forced: "always" })).toBe(
      "auth.authentication_required",
    );
  });

  it.each(singles)("is nothing after %s alone, if nothing else is set up or demanded", (factor) => {
    expect(missingProof([factor], nothingSetUp, anyFactor)).toBeUndefined();
  });

  describe.each(setUps)("for a person with %s set up", (setUp) => {
    const bearer = { ...nothingSetUp, [setUp]: true };

    it.each(singles)("is a second factor after %s", (factor) => {
      expect(missingProof([factor], bearer, anyFactor)).toBe("auth.mfa_required");
    });

    it("is nothing after a passkey, or any two", () => {
      expect(missingProof(["passkey"], bearer, anyFactor)).toBeUndefined();
      expect(missingProof(["password", "totp"], bearer, anyFactor)).toBeUndefined();
      expect(missingProof(["password", "recoveryCode"], bearer, anyFactor)).toBeUndefined();
      expect(missingProof(["idp", "otpSms"], bearer, anyFactor)).toBeUndefined();
    });

    it("is nothing where the settings do not allow that factor", () => {
      const others = { ...anyFactor, allowed: anyFactor.allowed.filter((type) => type !== setUp) };
      expect(missingProof(["password"], bearer, others)).toBeUndefined();
      expect(missingProof(["password"], bearer, { ...others, forced: "always" })).toBe("auth.mfa_required");
    });

    it("is nothing for a service account", () => {
      expect(missingProof(["password"], { ...bearer, userType: "machine" }, anyFactor)).toBeUndefined();
    });
  });

  it("is a second factor for everybody, if the settings force it", () => {
    const forced = { ...anyFactor, forced: "always" } as const;
    for (const factor of singles)
      expect(missingProof([factor], nothingSetUp, forced), factor).toBe("auth.mfa_required");
    expect(missingProof(["passkey"], nothingSetUp, forced)).toBeUndefined();
    expect(missingProof(["password", "otpEmail"], nothingSetUp, forced)).toBeUndefined();
    expect(missingProof(["password"], { ...nothingSetUp, userType: "machine" }, forced)).toBeUndefined();
  });

  it("is a second factor for who signs in without an identity provider, if the settings force that", () => {
    const locally = { ...anyFactor, forced: "locally" } as const;
    expect(missingProof(["password"], nothingSetUp, locally)).toBe("auth.mfa_required");
    expect(missingProof(["idp"], nothingSetUp, locally)).toBeUndefined();
    expect(missingProof(["idp"], { ...nothingSetUp, totp: true }, locally)).toBe("auth.mfa_required");
  });
});

describe("the login settings", () => {
  const login = {
    allowUsernamePassword: true,
    allowRegister: true,
    allowExternalIdp: true,
    forceMfa: false,
    forceMfaLocalOnly: false,
    allowPasskeys: true,
    hidePasswordReset: false,
    ignoreUnknownUsernames: false,
    allowDomainDiscovery: true,
    disableLoginWithEmail: false,
    disableLoginWithPhone: false,
    defaultRedirectUri: "",
    passwordCheckLifetimeMs: 0,
    externalLoginCheckLifetimeMs: 0,
    mfaInitSkipLifetimeMs: 0,
    secondFactorCheckLifetimeMs: 0,
    multiFactorCheckLifetimeMs: 0,
  };

  it("of a fresh instance allow every second factor and force none", () => {
    const { allowed, forced } = secondFactorPolicy({});
    expect([...allowed].sort()).toEqual(["otpEmail", "otpSms", "totp", "u2f"]);
    expect(forced).toBe("never");
  });

  it("allow what they list; recovery codes are no second factor to have", () => {
    expect(secondFactorPolicy({ secondFactors: [1, 4, 5] }).allowed).toEqual(["totp", "otpSms"]);
    expect(secondFactorPolicy({ secondFactors: [] }).allowed).toEqual([]);
  });

  it.each([
    [true, false, "always"],
    [true, true, "always"],
    [false, true, "locally"],
    [false, false, "never"],
  ] as const)("force_mfa %s, force_mfa_local_only %s: %s", (forceMfa, forceMfaLocalOnly, forced) => {
    expect(secondFactorPolicy({ login: { ...login, forceMfa, forceMfaLocalOnly } }).forced).toBe(forced);
  });
});
