import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Authenticator, Lies } from "../../support/authenticator.ts";
import { type Refusal, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { changeSessionSettings, streamOf, userRow } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking, type Call, time } from "../users/wire.ts";
import {
  accepted,
  answer,
  byId,
  challenged,
  factorsOf,
  failed,
  invalid,
  newDevice,
  newPerson,
  ORIGIN,
  optionsIn,
  RP_ID,
  refusalIn,
  registerPasskey,
  registerU2F,
  type SessionCall,
  type Site,
  sessions,
  startSite,
  webAuthNChallenge,
} from "./site.ts";

const noChallenge = failed("session has no WebAuthn challenge", "COMMAND-Ioqu5");
const expired = failed("WebAuthn challenge has expired", "GATE-W3bEx");
const withoutUser = failed("user id is missing", "COMMAND-eeR2e");
const userNotFound = failed("user could not be found", "COMMAND-Df4b3");
const malformed = invalid("WebAuthn assertion is malformed", "WEBAU-ADgv4");
const wrong = invalid("WebAuthn assertion is invalid", "WEBAU-3M9si");
const unknownCredential = failed("WebAuthn credential is not one of the user's", "COMMAND-Aej7i");
const noCredential = failed("user has no WebAuthn credential for this domain", "WEBAU-4G8sw");
const noDomain = invalid("domain is no relying party id", "GATE-W3bRp");

describe.each(engines)("signing in with WebAuthn on %s", (engine) => {
  let site: Site;
  let ask: Call;
  let call: SessionCall;
  beforeAll(async () => {
    site = await startSite(engine);
    // Sessions are to see what becomes of a factor that is taken away.
    await site.operate((database) => changeSessionSettings(database, { onFactorRemoval: "none" }));
    ask = asking(site, site.cast.owner);
    call = (method, request) => sessions(site, site.cast.loginClient)(method, request);
  });
  afterAll(() => site.close());

  /** Somebody with one device that holds a passkey, its first credential, and a security key, its second. */
  const equipped = async (device: Authenticator = newDevice()) => {
    const user = await newPerson(site);
    const passkey = await registerPasskey(ask, user, device);
    await registerU2F(ask, user, device);
    return { user, device, passkey };
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("S-011, S-027: a passkey shows as a verified user; a challenge is options for the browser", async () => {
      const client = sessions(site, site.cast.loginClient, protocol);
      const { user, device } = await equipped();
      const created = await accepted(
        client("CreateSession", { checks: byId(user), challenges: webAuthNChallenge("REQUIRED") }),
      );
      const sessionId = created.sessionId as string;
      expect(created.challenges).toEqual({
        webAuthN: {
          publicKeyCredentialRequestOptions: {
            publicKey: {
              challenge: expect.stringMatching(/^[\w-]{43}$/),
              timeout: 300_000,
              rpId: RP_ID,
              allowCredentials: [{ type: "public-key", id: device.credentialIds[0] }],
              userVerification: "required",
            },
          },
        },
      });
      const assertion = device.get(optionsIn(created));
      const changed = await accepted(answer(client, sessionId, assertion));
      // Challenge: added, user, challenged, token. Then two more: no sign count in between.
      expect(changed.details).toMatchObject({ sequence: "6" });
      expect(changed.sessionToken).not.toBe(created.sessionToken);
      expect(await factorsOf(client, sessionId)).toEqual({
        user: expect.objectContaining({ id: user.id }),
        webAuthN: { verifiedAt: time, userVerified: true },
      });
      expect(await refusalIn(answer(client, sessionId, assertion))).toEqual(noChallenge);
    });

    test.each([
      ["S-029", "PREFERRED", 300_000],
      ["S-030", "DISCOURAGED", 120_000],
    ] as const)("%s: a security key, verification %s", async (_, level, timeout) => {
      const client = sessions(site, site.cast.loginClient, protocol);
      const { user, device } = await equipped();
      const passkey = await challenged(client, user, "REQUIRED");
      await accepted(answer(client, passkey.sessionId, device.get(passkey.options)));
      const { sessionId } = passkey;
      const challenges = webAuthNChallenge(level);
      const options = optionsIn(await accepted(client("SetSession", { sessionId, challenges })));
      expect(options).toMatchObject({
        publicKey: {
          timeout,
          allowCredentials: [{ type: "public-key", id: device.credentialIds[1] }],
          userVerification: level.toLowerCase(),
        },
      });
      await accepted(answer(client, sessionId, device.get(options, { userVerified: false })));
      // The earlier, verified one is overwritten.
      expect((await factorsOf(client, sessionId))!.webAuthN).toEqual({ verifiedAt: time });
    });
  });

  test("a security key that verified its user says so", async () => {
    const { user, device } = await equipped();
    const { sessionId, options } = await challenged(call, user, "PREFERRED");
    await accepted(answer(call, sessionId, device.get(options)));
    expect((await factorsOf(call, sessionId))!.webAuthN).toMatchObject({ userVerified: true });
  });

  test("S-021: the session token of a passkey alone authenticates its user", async () => {
    const { user, device } = await equipped();
    const { sessionId, options } = await challenged(call, user, "REQUIRED");
    const { sessionToken } = await accepted(answer(call, sessionId, device.get(options)));
    const own = asking(site, { token: sessionToken as string });
    await registerU2F(own, user, newDevice());
    await registerPasskey(own, user, newDevice());
  });

  describe("a challenge", () => {
    test("S-007: without a user is refused, and no session is made", async () => {
      const attempt = call("CreateSession", { challenges: webAuthNChallenge("REQUIRED") });
      expect(await refusalIn(attempt)).toEqual(withoutUser);
      const { sessionId } = await accepted(call("CreateSession", {}));
      const second = call("SetSession", {
        sessionId: sessionId as string,
        challenges: webAuthNChallenge("PREFERRED"),
      });
      expect(await refusalIn(second)).toEqual(withoutUser);
    });

    test.each(["REQUIRED", "PREFERRED", "DISCOURAGED"] as const)(
      "with %s of somebody without a credential of that kind and domain is refused",
      async (level) => {
        const refusedFor = async (user: { id: string }, domain?: string) => {
          const checks = byId(user);
          const challenges = webAuthNChallenge(level, domain);
          return refusalIn(call("CreateSession", { checks, challenges }));
        };
        const bare = await newPerson(site);
        expect(await refusedFor(bare)).toEqual(noCredential);
        await (level === "REQUIRED" ? registerU2F : registerPasskey)(ask, bare, newDevice());
        await ask(level === "REQUIRED" ? "RegisterPasskey" : "RegisterU2F", { userId: bare.id });
        expect(await refusedFor(bare)).toEqual(noCredential);
        const { user } = await equipped();
        expect(await refusedFor(user, "other.example")).toEqual(noCredential);
        expect(await refusedFor(user, `login.${RP_ID}`)).toEqual(noCredential);
      },
    );

    test.each(["https://acme.example", "acme.example:443", "10.0.0.1", "Acme.example"])(
      "for the domain %s is refused",
      async (domain) => {
        const { user } = await equipped();
        const challenges = webAuthNChallenge("REQUIRED", domain);
        expect(await refusalIn(call("CreateSession", { checks: byId(user), challenges }))).toEqual(noDomain);
      },
    );

    test("needs a domain and a level", async () => {
      const { user } = await equipped();
      const lacking: JsonObject[] = [
        { domain: RP_ID },
        { userVerificationRequirement: "USER_VERIFICATION_REQUIREMENT_REQUIRED" },
        { domain: RP_ID, userVerificationRequirement: 7 },
      ];
      for (const webAuthN of lacking) {
        const { code } = await call("CreateSession", { checks: byId(user), challenges: { webAuthN } });
        expect(code).toBe(Code.InvalidArgument);
      }
    });

    test("allows every credential of the domain, and not what was removed", async () => {
      const { user, device, passkey } = await equipped();
      const second = newDevice();
      await registerPasskey(ask, user, second);
      const allowed = async () => {
        const { options } = await challenged(call, user, "REQUIRED");
        const { allowCredentials } = (options as { publicKey: { allowCredentials: { id: string }[] } })
          .publicKey;
        return allowCredentials.map(({ id }) => id);
      };
      expect(await allowed()).toEqual([device.credentialIds[0], second.credentialIds[0]]);
      await ask("RemovePasskey", { userId: user.id, passkeyId: passkey.id });
      expect(await allowed()).toEqual([second.credentialIds[0]]);
    });

    test("is another one every time", async () => {
      const { user } = await equipped();
      const seen = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { options } = await challenged(call, user, "REQUIRED");
          return (options as { publicKey: { challenge: string } }).publicKey.challenge;
        }),
      );
      expect(new Set(seen).size).toBe(5);
    });

    test("waits as long as the browser: five minutes, or two where nobody is verified", async () => {
      for (const [level, seconds] of [
        ["REQUIRED", 300],
        ["PREFERRED", 300],
        ["DISCOURAGED", 120],
      ] as const) {
        const { user, device } = await equipped();
        const [first, second] = [await challenged(call, user, level), await challenged(call, user, level)];
        const [punctual, late] = [device.get(first.options), device.get(second.options)];
        site.ahead += (seconds - 60) * 1_000;
        await accepted(answer(call, first.sessionId, punctual));
        site.ahead += 61_000;
        expect(await refusalIn(answer(call, second.sessionId, late)), level).toEqual(expired);
        expect(await factorsOf(call, second.sessionId)).not.toHaveProperty("webAuthN");
      }
    });
  });

  describe("an answer", () => {
    /** A session that waits for one, whatever becomes of it. */
    const waiting = async () => {
      const { user, device, passkey } = await equipped();
      return { user, device, passkey, ...(await challenged(call, user, "REQUIRED")) };
    };
    const expectUnproven = async (sessionId: string) =>
      expect(await factorsOf(call, sessionId)).not.toHaveProperty("webAuthN");

    test("without a challenge is refused, in a new session too", async () => {
      const { user, device, sessionId, options } = await waiting();
      const assertion = device.get(options);
      const created = call("CreateSession", {
        checks: { ...byId(user), webAuthN: { credentialAssertionData: assertion } },
      });
      expect(await refusalIn(created)).toEqual(noChallenge);
      const other = await accepted(call("CreateSession", { checks: byId(user) }));
      expect(await refusalIn(answer(call, other.sessionId as string, assertion))).toEqual(noChallenge);
      const anonymous = await accepted(call("CreateSession", {}));
      expect(await refusalIn(answer(call, anonymous.sessionId as string, assertion))).toEqual(noChallenge);
      await accepted(answer(call, sessionId, assertion));
    });

    test("is no answer to a challenge of the same request", async () => {
      const { user, device, options } = await waiting();
      const { sessionId } = await accepted(call("CreateSession", { checks: byId(user) }));
      const attempt = call("SetSession", {
        sessionId: sessionId as string,
        checks: { webAuthN: { credentialAssertionData: device.get(options) } },
        challenges: webAuthNChallenge("REQUIRED"),
      });
      expect(await refusalIn(attempt)).toEqual(noChallenge);
    });

    test("and a new challenge may come together", async () => {
      const { device, sessionId, options } = await waiting();
      const response = await accepted(
        call("SetSession", {
          sessionId,
          checks: { webAuthN: { credentialAssertionData: device.get(options) } },
          challenges: webAuthNChallenge("REQUIRED"),
        }),
      );
      await accepted(answer(call, sessionId, device.get(optionsIn(response))));
    });

    test("X-021: to a challenge that was replaced is refused, the one to the new is good", async () => {
      const { device, sessionId, options } = await waiting();
      const challenges = webAuthNChallenge("REQUIRED");
      const renewed = optionsIn(await accepted(call("SetSession", { sessionId, challenges })));
      expect(await refusalIn(answer(call, sessionId, device.get(options)))).toEqual(wrong);
      await expectUnproven(sessionId);
      await accepted(answer(call, sessionId, device.get(renewed)));
    });

    test("to a challenge of another session is refused", async () => {
      const { user, device, options } = await waiting();
      const { sessionId } = await challenged(call, user, "REQUIRED");
      expect(await refusalIn(answer(call, sessionId, device.get(options)))).toEqual(wrong);
      await expectUnproven(sessionId);
    });

    test("of another user's credential is refused", async () => {
      const { sessionId, options } = await waiting();
      const stranger = await equipped();
      const { publicKey } = options as { publicKey: JsonObject };
      const theirs = { publicKey: { ...publicKey, allowCredentials: [] } };
      expect(await refusalIn(answer(call, sessionId, stranger.device.get(theirs)))).toEqual(
        unknownCredential,
      );
      await expectUnproven(sessionId);
    });

    test("of a credential of the other kind is refused", async () => {
      const { device, sessionId, options } = await waiting();
      const { publicKey } = options as { publicKey: JsonObject };
      const u2f = { publicKey: { ...publicKey, allowCredentials: [{ id: device.credentialIds[1]! }] } };
      expect(await refusalIn(answer(call, sessionId, device.get(u2f)))).toEqual(unknownCredential);
    });

    test("of a credential registered after the challenge is refused", async () => {
      const { user, sessionId, options } = await waiting();
      const late = newDevice();
      await registerPasskey(ask, user, late);
      const { publicKey } = options as { publicKey: JsonObject };
      const json = late.get({ publicKey: { ...publicKey, allowCredentials: [] } });
      expect(await refusalIn(answer(call, sessionId, json))).toEqual(wrong);
    });

    test("of a credential removed since the challenge is refused", async () => {
      const { user, device, passkey, sessionId, options } = await waiting();
      const json = device.get(options);
      await ask("RemovePasskey", { userId: user.id, passkeyId: passkey.id });
      expect(await refusalIn(answer(call, sessionId, json))).toEqual(unknownCredential);
      await expectUnproven(sessionId);
    });

    const lies: [what: string, lies: Lies][] = [
      ["another challenge", { challenge: "AAAA" }],
      ["another type", { type: "webauthn.create" }],
      ["another origin", { origin: "https://evil.example" }],
      ["an origin like ours", { origin: `https://${RP_ID}.evil.example` }],
      ["an origin without TLS", { origin: ORIGIN.replace("https", "http") }],
      ["a page framed by a stranger", { crossOrigin: true, topOrigin: "https://evil.example" }],
      ["another relying party", { rpId: "evil.example" }],
      ["nobody present", { userPresent: false }],
      ["nobody verified", { userVerified: false }],
      ["impossible flags", { backedUp: true }],
      ["another kind of key", { backupEligible: true }],
      ["a wrong signature", { wrongSignature: true }],
      ["another user", { userHandle: "c29tZWJvZHkgZWxzZQ" }],
    ];
    test("that lies in anything is refused without a trace, and the truth is still good afterwards", async () => {
      const { user, device, sessionId, options } = await waiting();
      for (const [what, lie] of lies) {
        expect(await refusalIn(answer(call, sessionId, device.get(options, lie))), what).toEqual(wrong);
      }
      await expectUnproven(sessionId);
      await site.operate(async (database) => {
        const types = (await streamOf(database, "user", user.id)).map(({ type }) => type);
        expect(types.filter((type) => type.includes("signcount") || type.includes("clone"))).toEqual([]);
        expect(await streamOf(database, "session", sessionId)).toHaveLength(4);
      });
      await accepted(answer(call, sessionId, device.get(options)));
    });

    test("that is no assertion is malformed", async () => {
      const { device, sessionId, options } = await waiting();
      const honest = device.get(options);
      const broken: JsonObject[] = [
        {},
        { id: "AAAA" },
        { ...honest, type: "password" },
        { ...honest, rawId: "AAAA" },
        { ...honest, response: {} },
        { ...honest, response: "text" },
        { ...honest, response: { ...(honest.response as JsonObject), signature: null } },
        { ...honest, response: { ...(honest.response as JsonObject), clientDataJSON: "AAAA" } },
        { nested: { in: [{ nested: [1, true, null] }] } },
      ];
      for (const json of broken)
        expect(await refusalIn(answer(call, sessionId, json)), JSON.stringify(json)).toEqual(malformed);
      await expectUnproven(sessionId);
    });

    test("is missing: refused as the request it is", async () => {
      const { sessionId } = await waiting();
      const { code } = await call("SetSession", { sessionId, checks: { webAuthN: {} } });
      expect(code).toBe(Code.InvalidArgument);
    });

    test.each([
      ["LockUser", failed("session has ended", "COMMAND-Hewfq")],
      ["DeactivateUser", failed("session has ended", "COMMAND-Hewfq")],
    ] as const)("after %s is refused", async (act, expected: Refusal) => {
      const { user, device, sessionId, options } = await waiting();
      const json = device.get(options);
      await ask(act, { userId: user.id });
      expect(await refusalIn(answer(call, sessionId, json))).toEqual(expected);
    });

    test("of somebody who was locked is refused in a new session as well", async () => {
      const { user } = await waiting();
      await ask("LockUser", { userId: user.id });
      const attempt = call("CreateSession", {
        checks: byId(user),
        challenges: webAuthNChallenge("REQUIRED"),
      });
      const { id } = await refusalIn(attempt);
      // The user check comes first.
      expect(["SESSION-Gj4ko", userNotFound.id]).toContain(id);
    });

    test("a caller without permission gets no further than that", async () => {
      const { device, sessionId, options } = await waiting();
      const stranger = sessions(site, site.cast.nobody);
      const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
      expect(await refusalIn(answer(stranger, sessionId, device.get(options)))).toEqual(denied);
      expect(await refusalIn(answer(stranger, sessionId, {}))).toEqual(denied);
      const challenges = webAuthNChallenge("REQUIRED");
      expect(await refusalIn(stranger("SetSession", { sessionId, challenges }))).toEqual(denied);
    });

    test("together with a wrong password proves nothing, and stays good", async () => {
      const { device, sessionId, options } = await waiting();
      const webAuthN = { credentialAssertionData: device.get(options) };
      const both = (password: string) =>
        call("SetSession", { sessionId, checks: { webAuthN, password: { password } } });
      expect((await both("Wrong-Horse-8")).code).toBe(Code.InvalidArgument);
      await expectUnproven(sessionId);
      await accepted(both("Correct-Horse-7"));
      expect(await factorsOf(call, sessionId)).toMatchObject({
        password: { verifiedAt: time },
        webAuthN: { userVerified: true },
      });
    });

    test("given fifty times at once is good once", async () => {
      const { user, device, sessionId, options } = await waiting();
      const json = device.get(options);
      const replies = await Promise.all(Array.from({ length: 50 }, () => answer(call, sessionId, json)));
      expect(replies.filter(({ code }) => code === 0)).toHaveLength(1);
      for (const reply of replies)
        if (reply.code !== 0) expect(await refusalIn(Promise.resolve(reply))).toEqual(noChallenge);
      await site.operate(async (database) => {
        const types = (await streamOf(database, "session", sessionId)).map(({ type }) => type);
        expect(types.filter((type) => type === "session.webAuthN.checked")).toHaveLength(1);
        expect((await userRow(database, user)).webAuthN[0]).toMatchObject({ signCount: 1 });
      });
    });
  });

  describe("the authenticator's counter", () => {
    test("and the state of the backup are kept at the user, in the same append", async () => {
      const device = newDevice({ backupEligible: true });
      const user = await newPerson(site);
      const { sequence } = await registerPasskey(ask, user, device);
      const sign = async (lies: Lies) => {
        const { sessionId, options } = await challenged(call, user, "REQUIRED");
        await accepted(answer(call, sessionId, device.get(options, lies)));
        return sessionId;
      };
      const sessionId = await sign({ signCount: 7, backedUp: true });
      await sign({ signCount: 9, backedUp: true });
      await site.operate(async (database) => {
        const row = await userRow(database, user);
        expect(row.webAuthN).toMatchObject([{ signCount: 9, backedUp: true, backupEligible: true }]);
        expect(row.sequence).toBe(Number(sequence) + 2);
        const changed = (await streamOf(database, "user", user.id)).find(({ type }) =>
          type.endsWith(".signcount.changed"),
        )!;
        const checked = (await streamOf(database, "session", sessionId)).find(
          ({ type }) => type === "session.webAuthN.checked",
        )!;
        expect(changed.payload).toMatchObject({ signCount: 7, backedUp: true });
        expect(changed.createdAt).toEqual(checked.createdAt);
      });
    });

    test("of an authenticator that has none costs no event", async () => {
      const device = newDevice();
      const user = await newPerson(site);
      const { sequence } = await registerPasskey(ask, user, device);
      for (let count = 0; count < 2; count++) {
        const { sessionId, options } = await challenged(call, user, "REQUIRED");
        await accepted(answer(call, sessionId, device.get(options, { signCount: 0 })));
      }
      await site.operate(async (database) => {
        expect((await userRow(database, user)).sequence).toBe(Number(sequence));
      });
    });
  });
});

describe("a counter that does not move on", () => {
  const cloned = failed("the authenticator's counter did not move on, it may have been cloned", "GATE-W3bC1");
  const clones = async (site: Site, user: { id: string }) =>
    site.operate(async (database) =>
      (await streamOf(database, "user", user.id))
        .filter(({ type }) => type.endsWith(".clone.suspected"))
        .map(({ type, payload }) => ({ type, ...(payload as object) })),
    );
  const attempt = async (
    site: Site,
    user: { id: string },
    device: Authenticator,
    signCount: number,
    level: "REQUIRED" | "PREFERRED" = "REQUIRED",
  ) => {
    const call = sessions(site, site.cast.loginClient);
    const { sessionId, options } = await challenged(call, user, level);
    const reply = answer(call, sessionId, device.get(options, { signCount }));
    return { sessionId, reply, call };
  };

  test.each(engines)("is recorded at the user and refused, on %s", async (engine) => {
    const site = await startSite(engine);
    try {
      const user = await newPerson(site);
      const device = newDevice();
      const { id } = await registerPasskey(asking(site, site.cast.owner), user, device, { signCount: 5 });
      for (const signCount of [5, 4, 0]) {
        const { reply, call, sessionId } = await attempt(site, user, device, signCount);
        expect(await refusalIn(reply)).toEqual(cloned);
        expect(await factorsOf(call, sessionId)).not.toHaveProperty("webAuthN");
      }
      expect(await clones(site, user)).toEqual(
        [5, 4, 0].map((signCount) => ({
          type: "user.human.passwordless.token.clone.suspected",
          webAuthNTokenId: id,
          signCount,
          storedSignCount: 5,
        })),
      );
      await accepted((await attempt(site, user, device, 6)).reply);
    } finally {
      await site.close();
    }
  });

  test.each(engines)("is recorded and let pass if the operator says so, on %s", async (engine) => {
    const site = await startSite(engine, { config: { webauthnCloneWarning: "record" } });
    try {
      const user = await newPerson(site);
      const device = newDevice();
      const { id } = await registerU2F(asking(site, site.cast.owner), user, device, { signCount: 5 });
      const { reply, call, sessionId } = await attempt(site, user, device, 3, "PREFERRED");
      await accepted(reply);
      expect(await factorsOf(call, sessionId)).toMatchObject({ webAuthN: { userVerified: true } });
      expect(await clones(site, user)).toEqual([
        {
          type: "user.human.mfa.u2f.token.clone.suspected",
          webAuthNTokenId: id,
          signCount: 3,
          storedSignCount: 5,
        },
      ]);
      await site.operate(async (database) => {
        expect((await userRow(database, user)).webAuthN[0]).toMatchObject({ signCount: 5 });
      });
    } finally {
      await site.close();
    }
  });

  test("with a wrong signature is nobody's clone", async () => {
    const site = await startSite("pglite");
    try {
      const user = await newPerson(site);
      const device = newDevice();
      await registerPasskey(asking(site, site.cast.owner), user, device, { signCount: 5 });
      const call = sessions(site, site.cast.loginClient);
      const { sessionId, options } = await challenged(call, user, "REQUIRED");
      const forged = device.get(options, { signCount: 5, wrongSignature: true });
      expect(await refusalIn(answer(call, sessionId, forged))).toEqual(wrong);
      expect(await clones(site, user)).toEqual([]);
    } finally {
      await site.close();
    }
  });
});
