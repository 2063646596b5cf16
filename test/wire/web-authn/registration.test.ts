import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UserEvent } from "../../../src/user/events.ts";
import type { Lies } from "../../support/authenticator.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { appendToUser, streamOf, userRow } from "../../support/fixtures.ts";
import { protocols, protocolsOn } from "../protocols.ts";
import { asking, type Call, details, permissionDenied, refusal, time, uuid } from "../users/wire.ts";
import {
  failed,
  invalid,
  newDevice,
  newPerson,
  RP_ID,
  registerPasskey,
  registerU2F,
  type Site,
  signedIn,
  startSite,
} from "./site.ts";

const nonePending = failed("no registration is pending", "WEBAU-5M9so");
const otherPending = refused(Code.NotFound, "no registration of this id is pending", "WEBAU-5M9so");
const expired = failed("registration has expired", "GATE-W3bEr");
const malformed = invalid("WebAuthn attestation is malformed", "WEBAU-sEr8c");
const wrong = invalid("WebAuthn attestation is invalid", "WEBAU-3Vb9s");
const notFound = refused(Code.NotFound, "credential could not be found", "COMMAND-DAfb2");
const noUser = failed("user could not be found", "COMMAND-Df4b3");
const noDomain = invalid("domain is no relying party id", "GATE-W3bRp");

/** The two kinds side by side: the same rules, other words. */
const kinds = [
  {
    kind: "passkey",
    register: "RegisterPasskey",
    verify: "VerifyPasskeyRegistration",
    remove: "RemovePasskey",
    id: "passkeyId",
    name: "passkeyName",
    events: "user.human.passwordless.token",
    complete: registerPasskey,
  },
  {
    kind: "security key",
    register: "RegisterU2F",
    verify: "VerifyU2FRegistration",
    remove: "RemoveU2F",
    id: "u2fId",
    name: "tokenName",
    events: "user.human.mfa.u2f.token",
    complete: registerU2F,
  },
] as const;

describe.each(engines)("on %s", (engine) => {
  let site: Site;
  let ask: Call;
  beforeAll(async () => {
    site = await startSite(engine);
    ask = asking(site, site.cast.owner);
  });
  afterAll(() => site.close());

  describe.each(kinds)("the registration of a $kind", ({ register, verify, remove, complete, ...words }) => {
    const started = async (call: Call, request: JsonObject) => {
      const answer = await call(register, request);
      return {
        id: answer[words.id] as string,
        options: answer.publicKeyCredentialCreationOptions as { publicKey: JsonObject },
        answer,
      };
    };
    const completing = (userId: string, id: string, publicKeyCredential: JsonObject, name = "Mine") => ({
      userId,
      [words.id]: id,
      [words.name]: name,
      publicKeyCredential,
    });

    test.each(protocolsOn(engine))("works over %s, from options to removal", async (protocol) => {
      const call = asking(site, site.cast.owner, protocol);
      const { id: userId, loginName } = await newPerson(site);
      const { id, options, answer } = await started(call, { userId });
      expect(answer).toEqual({
        details: details(3, site.cast.home.id),
        [words.id]: uuid,
        publicKeyCredentialCreationOptions: {
          publicKey: {
            rp: { id: RP_ID, name: "Gatehouse" },
            user: {
              id: Buffer.from(userId).toString("base64url"),
              name: loginName,
              displayName: expect.stringMatching(/ Example$/),
            },
            challenge: expect.stringMatching(/^[\w-]{43}$/),
            pubKeyCredParams: [-7, -35, -36, -257, -258, -259, -37, -38, -39, -8].map((alg) => ({
              type: "public-key",
              alg,
            })),
            timeout: 300_000,
            excludeCredentials: [],
            authenticatorSelection: { userVerification: "required" },
            attestation: "none",
          },
        },
      });
      const device = newDevice();
      expect(await call(verify, completing(userId, id, device.create(options)))).toEqual({
        details: details(4, site.cast.home.id),
      });
      // With the end of the sessions it is two events.
      expect(await call(remove, { userId, [words.id]: id })).toEqual({
        details: details(6, site.cast.home.id),
      });
      expect(await refusal(call(remove, { userId, [words.id]: id }))).toEqual(notFound);
    });

    test("is stored with what the authenticator told, and without a secret", async () => {
      const user = await newPerson(site);
      const device = newDevice({ backupEligible: true, backedUp: true });
      const { id } = await complete(ask, user, device, { signCount: 3 });
      await site.operate(async (database) => {
        const stream = await streamOf(database, "user", user.id);
        expect(stream.map(({ type }) => type).slice(-2)).toEqual([
          `${words.events}.added`,
          `${words.events}.verified`,
        ]);
        expect(stream.at(-1)!.payload).toMatchObject({
          webAuthNTokenId: id,
          keyId: device.credentialIds[0],
          attestationType: "none",
          aaguid: "00000000-0000-0000-0000-000000000000",
          signCount: 3,
          transports: ["internal"],
          backupEligible: true,
          backedUp: true,
        });
        expect((await userRow(database, user)).webAuthN).toMatchObject([
          { id, rpId: RP_ID, pending: null, credentialId: device.credentialIds[0], signCount: 3 },
        ]);
      });
    });

    test("names another relying party if asked to, and excludes what it has already", async () => {
      const user = await newPerson(site);
      const device = newDevice();
      await complete(ask, user, device);
      const excluded = async (domain: string) => {
        const { publicKey } = (await started(ask, { userId: user.id, domain })).options;
        expect(publicKey.rp).toMatchObject({ id: domain });
        return publicKey.excludeCredentials;
      };
      expect(await excluded(RP_ID)).toEqual([{ type: "public-key", id: device.credentialIds[0] }]);
      expect(await excluded("other.example")).toEqual([]);
    });

    test.each([
      ["a URL", "https://acme.example"],
      ["a port", "acme.example:443"],
      ["an address", "127.0.0.1"],
      ["upper case", "Acme.example"],
      ["a blank", "a b"],
      ["300 characters", "a".repeat(300)],
    ])("for a domain with %s is refused", async (_, domain) => {
      const { id: userId } = await newPerson(site);
      expect(await refusal(ask(register, { userId, domain }))).toEqual(noDomain);
    });

    test("is about a person that exists", async () => {
      const userId = site.cast.nobody.id;
      expect(await refusal(ask(register, { userId }))).toEqual(noUser);
      expect(await refusal(ask(register, { userId: "nobody-at-all" }))).toEqual(noUser);
      const { id: gone } = await newPerson(site);
      await ask("DeleteUser", { userId: gone });
      expect(await refusal(ask(register, { userId: gone }))).toEqual(noUser);
      for (const of of [userId, "nobody-at-all", gone]) {
        const attempt = ask(verify, completing(of, "x", newDevice().create((await aRegistration()).options)));
        expect(await refusal(attempt)).toEqual(nonePending);
      }
    });

    const aRegistration = async () => started(ask, { userId: (await newPerson(site)).id });

    test("is completed under its own id only, and once", async () => {
      const { id: userId } = await newPerson(site);
      expect(await refusal(ask(verify, completing(userId, "x", { id: "x" })))).toEqual(nonePending);
      const { id, options } = await started(ask, { userId });
      const credential = newDevice().create(options);
      expect(await refusal(ask(verify, completing(userId, "another", credential)))).toEqual(otherPending);
      await ask(verify, completing(userId, id, credential));
      expect(await refusal(ask(verify, completing(userId, id, credential)))).toEqual(nonePending);
    });

    test("is replaced by the next one", async () => {
      const { id: userId } = await newPerson(site);
      const [first, second] = [await started(ask, { userId }), await started(ask, { userId })];
      const late = newDevice().create(first.options);
      expect(await refusal(ask(verify, completing(userId, first.id, late)))).toEqual(otherPending);
      expect(await refusal(ask(verify, completing(userId, second.id, late)))).toEqual(wrong);
      await ask(verify, completing(userId, second.id, newDevice().create(second.options)));
    });

    test("waits for five minutes", async () => {
      const [punctual, late] = [await newPerson(site), await newPerson(site)];
      const registrations = await Promise.all(
        [punctual, late].map(({ id: userId }) => started(ask, { userId })),
      );
      const [intime, tooLate] = registrations.map(({ id, options }) => ({
        id,
        json: newDevice().create(options),
      }));
      site.ahead += 240_000;
      await ask(verify, completing(punctual.id, intime!.id, intime!.json));
      site.ahead += 61_000;
      expect(await refusal(ask(verify, completing(late.id, tooLate!.id, tooLate!.json)))).toEqual(expired);
    });

    const lies: [what: string, lies: Lies][] = [
      ["another challenge", { challenge: "AAAA" }],
      ["another type", { type: "webauthn.get" }],
      ["another origin", { origin: "https://evil.example" }],
      ["an origin without TLS", { origin: "http://login.acme.example" }],
      ["another relying party", { rpId: "evil.example" }],
      ["nobody present", { userPresent: false }],
      ["impossible flags", { backedUp: true }],
      ["another id than was attested", { attestedCredentialId: "AAECAwQF" }],
      ["a key that is none", { coseKey: Uint8Array.of(0xa0) }],
    ];
    test("with a wrong answer fails without a trace, stays open, and comes to a good end", async () => {
      const { id: userId } = await newPerson(site);
      const { id, options } = await started(ask, { userId });
      for (const [what, lie] of lies) {
        const attempt = ask(verify, completing(userId, id, newDevice().create(options, lie)));
        expect(await refusal(attempt), what).toEqual(wrong);
      }
      const passwordLike: JsonObject = { ...newDevice().create(options), type: "password" };
      for (const json of [{}, { id: "AAAA" } as JsonObject, passwordLike]) {
        expect(await refusal(ask(verify, completing(userId, id, json)))).toEqual(malformed);
      }
      const done = await ask(verify, completing(userId, id, newDevice().create(options)));
      expect(done.details).toMatchObject({ sequence: "4" });
    });

    test("of the same credential twice is refused, whatever the browser thought of it", async () => {
      const user = await newPerson(site);
      const device = newDevice();
      await complete(ask, user, device);
      const { id, options } = await started(ask, { userId: user.id });
      const [known] = device.credentialIds;
      const answer = newDevice().create(options, { attestedCredentialId: known! });
      const attempt = ask(verify, completing(user.id, id, { ...answer, id: known!, rawId: known! }));
      expect(await refusal(attempt)).toEqual(
        refused(Code.AlreadyExists, "credential is registered already", "GATE-W3bDu"),
      );
    });

    test("may be called off", async () => {
      const { id: userId } = await newPerson(site);
      const { id, options } = await started(ask, { userId });
      await ask(remove, { userId, [words.id]: id });
      expect(await refusal(ask(verify, completing(userId, id, newDevice().create(options))))).toEqual(
        nonePending,
      );
    });

    test("validates ids and names before anything else", async () => {
      const { id: userId } = await newPerson(site);
      const credential = { id: "AAAA" };
      for (const request of [
        completing(userId, "x", credential, ""),
        completing(userId, "x", credential, "n".repeat(201)),
        completing(userId, "", credential),
        completing("", "x", credential),
        { userId, [words.id]: "x", [words.name]: "n" },
      ]) {
        const { code, id } = await refusal(asking(site, site.cast.owner, "Connect")(verify, request));
        expect({ code, id }).toEqual({ code: Code.InvalidArgument, id: undefined });
      }
    });

    test("stops at fifty", async () => {
      const user = await newPerson(site);
      const history = Array.from({ length: 50 }, (_, count): UserEvent[] => {
        const webAuthNTokenId = `key-${count}`;
        const known = {
          keyId: webAuthNTokenId,
          publicKey: "",
          attestationType: "none",
          aaguid: "",
          signCount: 0,
        };
        const flags = { transports: [], backupEligible: false, backedUp: false };
        const expiresAt = new Date().toISOString();
        const began = { challenge: "AAAA", rpID: RP_ID, expiresAt, registeredBy: user.id };
        return [
          { type: `${words.events}.added`, payload: { webAuthNTokenId, ...began } },
          {
            type: `${words.events}.verified`,
            payload: { webAuthNTokenId, webAuthNTokenName: "x", ...known, ...flags },
          },
        ];
      });
      await site.operate((database) => appendToUser(database, user, ...history.flat()));
      expect(await refusal(ask(register, { userId: user.id }))).toEqual(
        failed("a user has at most 50 passkeys, and 50 security keys", "GATE-W3bMx"),
      );
      await ask(remove, { userId: user.id, [words.id]: "key-7" });
      await complete(ask, user, newDevice());
    });

    describe("takes", () => {
      test("the person itself", async () => {
        const user = await newPerson(site);
        const own = asking(site, await signedIn(site, user));
        await complete(own, user, newDevice());
      });

      test("a permission: without one nobody learns whether there is such a person", async () => {
        const user = await newPerson(site);
        const nobody = asking(site, site.cast.nobody);
        for (const userId of [user.id, "nobody-at-all"]) {
          expect(await refusal(nobody(register, { userId }))).toEqual(permissionDenied);
          expect(await refusal(nobody(verify, completing(userId, "x", { id: "AAAA" })))).toEqual(
            permissionDenied,
          );
          expect(await refusal(nobody(remove, { userId, [words.id]: "x" }))).toEqual(permissionDenied);
        }
        const { id, options } = await started(ask, { userId: user.id });
        const credential = newDevice().create(options);
        expect(await refusal(nobody(verify, completing(user.id, id, credential)))).toEqual(permissionDenied);
      });
    });
  });

  describe("a passkey's registration", () => {
    test.each([
      ["PASSKEY_AUTHENTICATOR_UNSPECIFIED", undefined],
      ["PASSKEY_AUTHENTICATOR_PLATFORM", "platform"],
      ["PASSKEY_AUTHENTICATOR_CROSS_PLATFORM", "cross-platform"],
    ])("with %s asks for an attachment: %s", async (authenticator, authenticatorAttachment) => {
      const { id: userId } = await newPerson(site);
      const { publicKeyCredentialCreationOptions: options } = await ask("RegisterPasskey", {
        userId,
        authenticator,
      });
      expect(options).toMatchObject({
        publicKey: {
          authenticatorSelection:
            authenticatorAttachment === undefined
              ? { userVerification: "required" }
              : { userVerification: "required", authenticatorAttachment },
        },
      });
    });

    test("demands a verified user; a security key's does not", async () => {
      const user = await newPerson(site);
      const lies = { userVerified: false };
      expect(await refusal(registerPasskey(ask, user, newDevice(), lies))).toEqual(wrong);
      await registerU2F(ask, user, newDevice(), lies);
    });

    test("leaves a security key's alone: each kind has its own", async () => {
      const { id: userId } = await newPerson(site);
      const passkey = await ask("RegisterPasskey", { userId });
      const u2f = await ask("RegisterU2F", { userId });
      const device = newDevice();
      const create = ({ publicKeyCredentialCreationOptions: options }: JsonObject) => device.create(options);
      const request = { userId, passkeyId: u2f.u2fId!, publicKeyCredential: create(u2f), passkeyName: "x" };
      expect(await refusal(ask("VerifyPasskeyRegistration", request))).toEqual(otherPending);
      const second = { userId, u2fId: u2f.u2fId!, publicKeyCredential: create(u2f), tokenName: "x" };
      await ask("VerifyU2FRegistration", second);
      const passkeyId = passkey.passkeyId!;
      const first = { userId, passkeyId, publicKeyCredential: create(passkey), passkeyName: "x" };
      await ask("VerifyPasskeyRegistration", first);
      expect(await refusal(ask("RemoveU2F", { userId, u2fId: passkeyId }))).toEqual(notFound);
      expect(await refusal(ask("RemovePasskey", { userId, passkeyId: u2f.u2fId! }))).toEqual(notFound);
    });
  });

  describe("the list of passkeys", () => {
    test.each(protocolsOn(engine))("over %s shows what is ready, by name, oldest first", async (protocol) => {
      const call = asking(site, site.cast.owner, protocol);
      const user = await newPerson(site);
      expect(await call("ListPasskeys", { userId: user.id })).toEqual({ details: { timestamp: time } });
      const [first, second] = [
        await registerPasskey(call, user, newDevice()),
        await registerPasskey(call, user, newDevice()),
      ];
      await registerU2F(call, user, newDevice());
      await call("RegisterPasskey", { userId: user.id });
      const ready = { state: "AUTH_FACTOR_STATE_READY", name: "Phone" };
      expect(await call("ListPasskeys", { userId: user.id })).toEqual({
        details: { totalResult: "2", timestamp: time },
        result: [
          { id: first.id, ...ready },
          { id: second.id, ...ready },
        ],
      });
      await call("RemovePasskey", { userId: user.id, passkeyId: first.id });
      expect((await call("ListPasskeys", { userId: user.id })).result).toEqual([{ id: second.id, ...ready }]);
    });

    test("is empty to whoever may not read the person, and of whoever is not there", async () => {
      const user = await newPerson(site);
      await registerPasskey(ask, user, newDevice());
      const seenBy = async (caller: { token: string }, userId = user.id) =>
        ((await asking(site, caller)("ListPasskeys", { userId })).result as unknown[] | undefined)?.length ??
        0;
      const { cast } = site;
      expect(await seenBy(cast.viewer)).toBe(1);
      expect(await seenBy(cast.orgUserManager)).toBe(1);
      expect(await seenBy(cast.nobody)).toBe(0);
      expect(await seenBy(cast.otherOrgOwner)).toBe(0);
      expect(await seenBy(cast.owner, "nobody-at-all")).toBe(0);
    });
  });
});

describe("the relying party of a server without a public URL", () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite("pglite", { config: { publicUrl: undefined } });
  });
  afterAll(() => site.close());

  test.each(protocols)("is the host the request went to, over %s", async (protocol) => {
    const { id: userId } = await newPerson(site);
    const url = site.url.replace("127.0.0.1", "localhost");
    expect(url).not.toBe(site.url);
    const { publicKeyCredentialCreationOptions: options } = await asking(
      { url },
      site.cast.owner,
      protocol,
    )("RegisterPasskey", { userId });
    expect(options).toMatchObject({ publicKey: { rp: { id: "localhost" } } });
  });

  test("must be named where that host is an address", async () => {
    const { id: userId } = await newPerson(site);
    const ask = asking(site, site.cast.owner);
    expect(await refusal(ask("RegisterPasskey", { userId }))).toEqual(noDomain);
    await ask("RegisterPasskey", { userId, domain: "acme.example" });
  });
});
