import { describe, expect, it } from "vitest";
import type { SessionsAffected } from "../../src/storage/instance-settings.ts";
import { decideEnding } from "../../src/user/change-proofs.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { type LostProof, lostProofs } from "../../src/user/lost-proof.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { given, givenUser, humanAdded } from "../support/given.ts";

const empty = <T extends UserEvent["type"]>(type: T) => ({ type, payload: {} }) as UserEvent;
const changed: UserEvent = {
  type: "user.human.password.changed",
  payload: { encodedHash: "hash-2", changeRequired: false },
};
const app: UserEvent = { type: "user.human.mfa.otp.added", payload: { otpSecret: "sealed" } };
const codes: UserEvent = { type: "user.human.mfa.recoverycode.added", payload: { codes: ["digest"] } };
const link = { idpConfigId: "google", userId: "mia@google" };
const linked: UserEvent = {
  type: "user.human.externalidp.added",
  payload: { ...link, displayName: "Mia" },
};
const unlinked: UserEvent = { type: "user.human.externalidp.removed", payload: link };

type Prefix = "user.human.passwordless.token" | "user.human.mfa.u2f.token";
const begun = (prefix: Prefix, id: string) =>
  ({
    type: `${prefix}.added`,
    payload: {
      webAuthNTokenId: id,
      challenge: "c",
      rpID: "acme.example",
      expiresAt: "",
      registeredBy: "mia",
    },
  }) as UserEvent;
const registered = (prefix: Prefix, id: string) =>
  ({
    type: `${prefix}.verified`,
    payload: {
      webAuthNTokenId: id,
      keyId: `key of ${id}`,
      publicKey: "",
      attestationType: "none",
      aaguid: "",
      signCount: 0,
      webAuthNTokenName: "",
      transports: [],
      backupEligible: false,
      backedUp: false,
    },
  }) as UserEvent;
const removed = (prefix: Prefix, id: string) =>
  ({ type: `${prefix}.removed`, payload: { webAuthNTokenId: id } }) as UserEvent;
const [passkey, u2f] = ["user.human.passwordless.token", "user.human.mfa.u2f.token"] as const;

describe("what no longer proves a user", () => {
  it.each<[what: string, before: UserEvent[], act: UserEvent, lost: LostProof]>([
    ["the old password", [], changed, { factor: "password" }],
    [
      "an authenticator app",
      [app, empty("user.human.mfa.otp.verified")],
      empty("user.human.mfa.otp.removed"),
      { factor: "totp" },
    ],
    [
      "codes by SMS",
      [empty("user.human.mfa.otp.sms.added")],
      empty("user.human.mfa.otp.sms.removed"),
      { factor: "otpSms" },
    ],
    [
      "the phone that gets codes",
      [empty("user.human.mfa.otp.sms.added")],
      empty("user.human.phone.removed"),
      { factor: "otpSms" },
    ],
    [
      "codes by e-mail",
      [empty("user.human.mfa.otp.email.added")],
      empty("user.human.mfa.otp.email.removed"),
      { factor: "otpEmail" },
    ],
    ["recovery codes", [codes], empty("user.human.mfa.recoverycode.removed"), { factor: "recoveryCode" }],
    [
      "a passkey",
      [begun(passkey, "a"), registered(passkey, "a")],
      removed(passkey, "a"),
      { factor: "webAuthN", credentialId: "a" },
    ],
    [
      "a security key",
      [begun(u2f, "a"), registered(u2f, "a")],
      removed(u2f, "a"),
      { factor: "webAuthN", credentialId: "a" },
    ],
    ["a link to a provider", [linked], unlinked, { factor: "intent", idpId: "google" }],
  ])("%s", (_, before, act, lost) => {
    expect(lostProofs(givenUser(...before), [act])).toEqual([lost]);
  });

  it.each<[what: string, before: UserEvent[], act: UserEvent]>([
    ["an app that waits for its first code", [app], empty("user.human.mfa.otp.removed")],
    ["a passkey that waits for its authenticator", [begun(passkey, "a")], removed(passkey, "a")],
    ["a security key that waits for it", [begun(u2f, "a")], removed(u2f, "a")],
    ["a phone that gets no codes", [], empty("user.human.phone.removed")],
    [
      "a number that is replaced: codes go to the verified one",
      [empty("user.human.mfa.otp.sms.added")],
      { type: "user.human.phone.changed", payload: { phone: "+41791234567" } },
    ],
    ["a factor that is added", [], empty("user.human.mfa.otp.sms.added")],
    [
      "the same password under other parameters",
      [],
      { type: "user.human.password.hash.updated", payload: { encodedHash: "hash-1b" } },
    ],
  ])("not %s", (_, before, act) => {
    expect(lostProofs(givenUser(...before), [act])).toEqual([]);
  });

  it("not a first password, but the one that follows it", () => {
    const { encodedHash: _, ...payload } = humanAdded().payload as Extract<
      UserEvent,
      { type: "user.human.added" }
    >["payload"];
    const invited = given(userAggregate, initialUser("mia"), [{ type: "user.human.added", payload }]);
    expect(lostProofs(invited, [changed])).toEqual([]);
    const settled = given(userAggregate, initialUser("mia"), [
      { type: "user.human.added", payload },
      changed,
    ]);
    expect(lostProofs(settled, [changed])).toEqual([{ factor: "password" }]);
  });
});

describe("which sessions an act ends", () => {
  const decided = (
    lost: LostProof[],
    onPasswordChange: SessionsAffected,
    onFactorRemoval: SessionsAffected,
  ) => {
    const { affected, reason } = decideEnding(lost, { onPasswordChange, onFactorRemoval });
    return [affected, reason];
  };
  const [password, totp]: LostProof[] = [{ factor: "password" }, { factor: "totp" }];

  it.each(["others", "all", "none"] as const)("is said by the setting of its own: %s", (affected) => {
    const other = affected === "all" ? "none" : "all";
    expect(decided([password!], affected, other)).toEqual([affected, "password_changed"]);
    expect(decided([totp!], other, affected)).toEqual([affected, "factor_removed"]);
  });

  it.each<[SessionsAffected, SessionsAffected, SessionsAffected, string]>([
    ["others", "others", "others", "password_changed"],
    ["others", "all", "all", "factor_removed"],
    ["none", "others", "others", "factor_removed"],
    ["all", "others", "all", "password_changed"],
    ["others", "none", "others", "password_changed"],
    ["none", "none", "none", "password_changed"],
  ])(
    "of a new password (%s) with a factor less (%s) is what reaches further: %s",
    (a, b, affected, reason) => {
      expect(decided([totp!, password!], a, b)).toEqual([affected, reason]);
    },
  );
});
