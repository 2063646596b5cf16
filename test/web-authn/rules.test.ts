import { describe, expect, test } from "vitest";
import { challengeWebAuthN } from "../../src/session/challenges/web-authn.ts";
import { decideWebAuthNCheck, openChallenge } from "../../src/session/checks/web-authn.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import type { WebAuthNCredential } from "../../src/storage/tables.ts";
import type { UserEvent } from "../../src/user/events.ts";
import type { UserState } from "../../src/user/user.ts";
import { kindAskedFor, pendingCredential, readyCredentials } from "../../src/user/web-authn/credentials.ts";
import { openPasskeyCode } from "../../src/user/web-authn/passkey-code.ts";
import { decideRemove } from "../../src/user/web-authn/remove-credential.ts";
import { decideVerified, openRegistration } from "../../src/user/web-authn/verify-registration.ts";
import { givenSession, givenUser, START } from "../support/given.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const later = (ms: number) => new Date(START.getTime() + ms);

const prefix = { passkey: "user.human.passwordless.token", u2f: "user.human.mfa.u2f.token" } as const;
type Kind = keyof typeof prefix;

const added = (kind: Kind, id: string): UserEvent => ({
  type: `${prefix[kind]}.added`,
  payload: {
    webAuthNTokenId: id,
    challenge: `challenge of ${id}`,
    rpID: "acme.example",
    expiresAt: later(300_000).toISOString(),
    registeredBy: "mia",
  },
});
const attested = {
  publicKey: "key",
  aaguid: "",
  signCount: 5,
  transports: [],
  backupEligible: false,
  backedUp: false,
};
const verified = (kind: Kind, id: string): UserEvent => ({
  type: `${prefix[kind]}.verified`,
  payload: {
    webAuthNTokenId: id,
    keyId: `credential of ${id}`,
    attestationType: "none",
    webAuthNTokenName: "Phone",
    ...attested,
  },
});
const removed = (kind: Kind, id: string): UserEvent => ({
  type: `${prefix[kind]}.removed`,
  payload: { webAuthNTokenId: id },
});
const idsOf = (credentials: readonly { id: string }[]) => credentials.map(({ id }) => id);

describe("which credentials a challenge is for", () => {
  test.each([
    ["S-217", "required", "passkey"],
    ["S-166, S-218", "preferred", "u2f"],
    ["S-165, S-219", "discouraged", "u2f"],
  ] as const)("%s: verification %s asks for a %s", (_, level, kind) => {
    expect(kindAskedFor(level)).toBe(kind);
  });

  test("those of the kind that are ready, oldest first", () => {
    const user = givenUser(
      ...[added("passkey", "a"), verified("passkey", "a")],
      ...[added("u2f", "b"), verified("u2f", "b")],
      ...[added("passkey", "c"), verified("passkey", "c"), added("passkey", "d")],
    );
    expect(idsOf(readyCredentials(user, "passkey"))).toEqual(["a", "c"]);
    expect(idsOf(readyCredentials(user, "u2f"))).toEqual(["b"]);
    expect(pendingCredential(user, "passkey")!.id).toBe("d");
    expect(pendingCredential(user, "u2f")).toBeUndefined();
  });

  test("a registration replaces the one that waits, of its own kind only", () => {
    const user = givenUser(added("passkey", "a"), added("u2f", "b"), added("passkey", "c"));
    expect(idsOf(user.webAuthN)).toEqual(["b", "c"]);
    expect(pendingCredential(user, "passkey")!.pending.challenge).toBe("challenge of c");
  });
});

describe("a registration", () => {
  const user = givenUser(added("passkey", "a"));

  test("is open until its time is up, to the millisecond", () => {
    expect(openRegistration(user, "passkey", "a", later(300_000)).id).toBe("a");
    expect(() => openRegistration(user, "passkey", "a", later(300_001))).toThrow(
      slug("user.web_auth_n_expired"),
    );
  });

  test("is found by kind and id", () => {
    expect(() => openRegistration(user, "u2f", "a", START)).toThrow(slug("user.web_auth_n_none_pending"));
    expect(() => openRegistration(user, "passkey", "b", START)).toThrow(
      slug("user.web_auth_n_other_pending"),
    );
  });

  test("of a credential the other list has already is fine, of one its own list has it is not", () => {
    const registered = {
      ...attested,
      attestationFormat: "none",
      userVerified: true,
      credentialId: "credential of a",
    };
    const owner = givenUser(added("passkey", "a"), verified("passkey", "a"));
    expect(decideVerified(owner, "u2f", "b", "Key", registered)).toEqual({
      type: "user.human.mfa.u2f.token.verified",
      payload: {
        webAuthNTokenId: "b",
        keyId: "credential of a",
        attestationType: "none",
        webAuthNTokenName: "Key",
        ...attested,
      },
    });
    expect(() => decideVerified(owner, "passkey", "b", "Key", registered)).toThrow(
      slug("user.web_auth_n_exists"),
    );
    const free = givenUser(added("passkey", "a"), verified("passkey", "a"), removed("passkey", "a"));
    expect(decideVerified(free, "passkey", "b", "Key", registered)).toMatchObject({
      payload: { webAuthNTokenId: "b" },
    });
  });

  test("is removed by kind and id, and once", () => {
    const gone = givenUser(added("passkey", "a"), removed("passkey", "a"));
    for (const [owner, kind, id] of [
      [user, "u2f", "a"],
      [user, "passkey", "b"],
      [gone, "passkey", "a"],
    ] as const)
      expect(() => decideRemove(owner, kind, id)).toThrow(slug("user.web_auth_n_not_found"));
    expect(decideRemove(user, "passkey", "a")).toEqual([removed("passkey", "a")]);
  });
});

describe("the code of a registration link", () => {
  const issued = (id: string): UserEvent => ({
    type: "user.human.passwordless.initialization.code.added",
    payload: { id, code: "sealed", expiresAt: later(3_600_000).toISOString() },
  });
  const guessed = (id: string): UserEvent => ({
    type: "user.human.passwordless.initialization.code.check.failed",
    payload: { id },
  });
  const used = (id: string): UserEvent => ({
    type: "user.human.passwordless.initialization.code.check.succeeded",
    payload: { id },
  });

  test("is open for its hour, to the millisecond", () => {
    const user = givenUser(issued("a"));
    expect(openPasskeyCode(user, "a", later(3_600_000))!.id).toBe("a");
    expect(openPasskeyCode(user, "a", later(3_600_001))).toBeUndefined();
    expect(openPasskeyCode(user, "b", START)).toBeUndefined();
  });

  test("stands nine wrong guesses, not ten, and the guesses at another count for that one", () => {
    const guesses = (count: number) => Array.from({ length: count }, () => guessed("a"));
    expect(openPasskeyCode(givenUser(issued("a"), issued("b"), ...guesses(9)), "a", START)).toBeDefined();
    const spent = givenUser(issued("a"), issued("b"), ...guesses(10));
    expect(openPasskeyCode(spent, "a", START)).toBeUndefined();
    expect(openPasskeyCode(spent, "b", START)).toBeDefined();
  });

  test("is gone when it was used", () => {
    expect(openPasskeyCode(givenUser(issued("a"), used("a")), "a", START)).toBeUndefined();
  });
});

const challengedWith = (expiresAt: Date): SessionEvent => ({
  type: "session.webAuthN.challenged",
  payload: {
    challenge: "challenge",
    allowedCrentialIDs: ["credential of a"],
    userVerification: 1,
    rpid: "acme.example",
    expiresAt: expiresAt.toISOString(),
  },
});

describe("a new challenge", () => {
  const request = { domain: "acme.example", userVerification: "required" as const };
  const asked = (user: UserState | undefined, changes = {}) =>
    challengeWebAuthN({ sessionId: "s", user, at: START, actorId: "a" }, { ...request, ...changes });
  const credentials = [added("passkey", "a"), verified("passkey", "a")];
  const mia = givenUser(...credentials);

  test("is for the user's credentials, and for as long as the browser waits", () => {
    const { session, answer } = asked(mia);
    const { publicKey } = answer.webAuthN as { publicKey: { challenge: string } };
    expect(session).toEqual([
      {
        type: "session.webAuthN.challenged",
        payload: {
          challenge: publicKey.challenge,
          allowedCrentialIDs: ["credential of a"],
          userVerification: 1,
          rpid: "acme.example",
          expiresAt: later(300_000).toISOString(),
        },
      },
    ]);
  });

  test.each([
    ["S-007: no user, whatever the domain", undefined, { domain: "" }, "without_user"],
    [
      "a user who is locked",
      givenUser(...credentials, { type: "user.locked", payload: {} }),
      {},
      "user_not_found",
    ],
    [
      "a user who was removed",
      givenUser(...credentials, { type: "user.removed", payload: {} }),
      {},
      "user_not_found",
    ],
    ["no relying party", mia, { domain: "acme.example:443" }, "domain_invalid"],
    ["another relying party", mia, { domain: "login.acme.example" }, "begin_failed"],
    ["no credential of the kind", mia, { userVerification: "preferred" }, "begin_failed"],
  ] as const)("is refused with %s", (_, user, changes, expected) => {
    expect(() => asked(user, changes)).toThrow(slug(`session.web_auth_n_${expected}`));
  });
});

describe("an open challenge", () => {
  const session = givenSession(challengedWith(later(300_000)));
  const user = givenUser();

  test.each([
    ["no challenge, which comes first", givenSession(), undefined, "session.web_auth_n_no_challenge"],
    ["S-075, S-163: no user", session, undefined, "session.web_auth_n_without_user"],
    [
      "S-077: a removed user",
      session,
      givenUser({ type: "user.removed", payload: {} }),
      "session.web_auth_n_user_not_found",
    ],
    [
      "a locked user",
      session,
      givenUser({ type: "user.locked", payload: {} }),
      "session.web_auth_n_user_not_found",
    ],
    [
      "a deactivated user",
      session,
      givenUser({ type: "user.deactivated", payload: {} }),
      "session.web_auth_n_user_not_found",
    ],
  ])("is not there with %s", (_, of, owner, expected) => {
    expect(() => openChallenge({ session: of, user: owner, at: START })).toThrow(slug(expected));
  });

  test("S-078: of an active user is open until its time is up, to the millisecond", () => {
    expect(openChallenge({ session, user, at: later(300_000) }).challenge).toMatchObject({
      challenge: "challenge",
      allowedCredentialIds: ["credential of a"],
      userVerification: "required",
      rpId: "acme.example",
    });
    expect(() => openChallenge({ session, user, at: later(300_001) })).toThrow(
      slug("session.web_auth_n_expired"),
    );
  });

  test("is replaced by a new one and used up by a check", () => {
    const renewed = givenSession(challengedWith(START), challengedWith(later(1)));
    expect(renewed.challenges.webAuthN!.expiresAt).toBe(later(1).toISOString());
    const done = givenSession(challengedWith(START), {
      type: "session.webAuthN.checked",
      payload: { checkedAt: START.toISOString() },
    });
    expect(done.challenges.webAuthN).toBeUndefined();
    expect(done.factors.webAuthN).toEqual({ checkedAt: START.toISOString(), userVerified: false });
  });
});

describe("a good signature", () => {
  const credential = (kind: Kind): WebAuthNCredential =>
    readyCredentials(givenUser(added(kind, "a"), verified(kind, "a")), kind)[0]!;
  const asserted = { userVerified: true, signCount: 6, backedUp: false, cloneSuspected: false };
  const check = { checkedAt: START.toISOString(), credentialId: "a" };

  test.each(["passkey", "u2f"] as const)("of a %s moves its own counter", (kind) => {
    expect(decideWebAuthNCheck(credential(kind), asserted, "refuse", START)).toEqual({
      session: [{ type: "session.webAuthN.checked", payload: { ...check, userVerified: true } }],
      user: [
        {
          type: `${prefix[kind]}.signcount.changed`,
          payload: { webAuthNTokenId: "a", signCount: 6, backedUp: false },
        },
      ],
    });
  });

  test("of somebody who was not verified says so by silence", () => {
    const outcome = decideWebAuthNCheck(
      credential("u2f"),
      { ...asserted, userVerified: false },
      "refuse",
      START,
    );
    expect(outcome.session).toEqual([{ type: "session.webAuthN.checked", payload: check }]);
  });

  test("that tells nothing new changes nothing at the user", () => {
    const known = { ...credential("passkey"), signCount: 0 };
    const outcome = decideWebAuthNCheck(known, { ...asserted, signCount: 0 }, "refuse", START);
    expect(outcome.user).toEqual([]);
    const backedUp = decideWebAuthNCheck(
      known,
      { ...asserted, signCount: 0, backedUp: true },
      "refuse",
      START,
    );
    expect(backedUp.user).toMatchObject([{ payload: { signCount: 0, backedUp: true } }]);
  });

  const suspected = { ...asserted, signCount: 4, cloneSuspected: true };
  const warning = {
    type: "user.human.passwordless.token.clone.suspected",
    payload: { webAuthNTokenId: "a", signCount: 4, storedSignCount: 5 },
  };

  test("of what may be a copy is recorded at the user and proves nothing", () => {
    expect(decideWebAuthNCheck(credential("passkey"), suspected, "refuse", START)).toEqual({
      session: [],
      user: [warning],
      failure: slug("session.web_auth_n_cloned"),
    });
  });

  test("of what may be a copy counts if the operator says so, and the higher counter stays", () => {
    expect(decideWebAuthNCheck(credential("passkey"), suspected, "record", START)).toEqual({
      session: [{ type: "session.webAuthN.checked", payload: { ...check, userVerified: true } }],
      user: [warning],
    });
    const backedUp = decideWebAuthNCheck(
      credential("passkey"),
      { ...suspected, backedUp: true },
      "record",
      START,
    );
    expect(backedUp.user).toEqual([
      warning,
      {
        type: "user.human.passwordless.token.signcount.changed",
        payload: { webAuthNTokenId: "a", signCount: 5, backedUp: true },
      },
    ]);
  });
});
