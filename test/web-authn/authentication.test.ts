import { describe, expect, test } from "vitest";
import { requestOptions } from "../../src/web-authn/authentication.ts";
import { Authenticator, algorithmNames, type Lies } from "../support/authenticator.ts";
import { authenticate, authentication, RP_ID, refusalOf, register, verify } from "./ceremonies.ts";

const origin = "https://login.example.com";

describe("request options", () => {
  test.each([
    ["required", 300_000],
    ["preferred", 300_000],
    ["discouraged", 120_000],
  ] as const)("with user verification %s leave %i ms", (userVerification, timeout) => {
    expect(
      requestOptions({
        challenge: "AAEC",
        rpId: RP_ID,
        allowedCredentialIds: ["Aw", "BA"],
        userVerification,
      }),
    ).toEqual({
      publicKey: {
        challenge: "AAEC",
        timeout,
        rpId: RP_ID,
        allowCredentials: [
          { type: "public-key", id: "Aw" },
          { type: "public-key", id: "BA" },
        ],
        userVerification,
      },
    });
  });
});

describe("an assertion", () => {
  test.each(algorithmNames)("by an %s key is accepted", async (algorithm) => {
    const device = new Authenticator({ algorithm, origin });
    const credential = await register(device);
    expect(await authenticate(device, credential)).toEqual({
      userVerified: true,
      signCount: 1,
      backedUp: false,
      cloneSuspected: false,
    });
  });

  test("tells whether the user was verified, and the state of the backup", async () => {
    const device = new Authenticator({ origin, backupEligible: true });
    const credential = await register(device);
    const lies = { userVerified: false, backedUp: true };
    for (const userVerification of ["preferred", "discouraged"] as const) {
      expect(await authenticate(device, credential, lies, { userVerification })).toMatchObject({
        userVerified: false,
        backedUp: true,
      });
    }
  });

  test.each([
    ["by its own user", undefined],
    ["without a user handle", null],
    ["with an empty user handle", ""],
  ])("%s is accepted", async (_, userHandle) => {
    const device = new Authenticator({ origin });
    const credential = await register(device);
    const lies = userHandle === undefined ? {} : { userHandle };
    expect(await authenticate(device, credential, lies)).toMatchObject({ userVerified: true });
  });

  test("whose user handle is JSON null is accepted", async () => {
    const device = new Authenticator({ origin });
    const credential = await register(device);
    const request = authentication(credential.credentialId);
    const json = device.get(requestOptions(request));
    const response = { ...(json.response as object), userHandle: null };
    expect(await verify({ ...json, response }, request, credential)).toMatchObject({ userVerified: true });
  });

  const refused: [what: string, lies: Lies, why: RegExp][] = [
    ["of another challenge", { challenge: "b3RoZXI" }, /another challenge/],
    ["of another type", { type: "webauthn.create" }, /not of type webauthn.get/],
    ["by a page of another origin", { origin: "https://evil.test" }, /page of "https:\/\/evil.test/],
    ["by a page without TLS", { origin: "http://login.example.com" }, /page of "http:\/\/login/],
    ["framed by a stranger", { crossOrigin: true, topOrigin: "https://evil.test" }, /framed by "https/],
    ["framed by nobody knows whom", { crossOrigin: true }, /framed by undefined/],
    ["for another relying party", { rpId: "evil.test" }, /RP ID hash/],
    ["without anybody present", { userPresent: false }, /not present/],
    ["without verification of the user", { userVerified: false }, /could not be verified/],
    ["with a wrong signature", { wrongSignature: true }, /signature is wrong/],
    ["of another user", { userHandle: "em9l" }, /another user's/],
    ["that became copyable", { backupEligible: true }, /it changed/],
    ["backed up though it cannot be", { backedUp: true }, /should be impossible/],
  ];
  test.each(refused)("%s is refused", async (_, lies, why) => {
    const device = new Authenticator({ origin });
    const credential = await register(device);
    expect(await refusalOf(authenticate(device, credential, lies))).toMatch(why);
  });

  test("by a credential the challenge was not for is refused", async () => {
    const device = new Authenticator({ origin });
    const credential = await register(device);
    const allowedCredentialIds = ["AAEC"];
    const attempt = authenticate(device, credential, {}, { allowedCredentialIds });
    expect(await refusalOf(attempt)).toMatch(/other credentials/);
  });

  test("by another key is refused", async () => {
    const [device, other] = [new Authenticator({ origin }), new Authenticator({ origin })];
    const [credential, { publicKey }] = await Promise.all([register(device), register(other)]);
    expect(await refusalOf(authenticate(device, { ...credential, publicKey }))).toMatch(/signature is wrong/);
  });

  describe("with a counter", () => {
    test.each([
      { stored: 0, seen: 0, cloneSuspected: false },
      { stored: 0, seen: 1, cloneSuspected: false },
      { stored: 5, seen: 6, cloneSuspected: false },
      { stored: 5, seen: 4_294_967_295, cloneSuspected: false },
      { stored: 5, seen: 5, cloneSuspected: true },
      { stored: 5, seen: 4, cloneSuspected: true },
      { stored: 5, seen: 0, cloneSuspected: true },
    ])("of $seen after $stored: a clone is suspected: $cloneSuspected", async (counters) => {
      const { stored, seen, cloneSuspected } = counters;
      const device = new Authenticator({ origin });
      const credential = { ...(await register(device)), signCount: stored };
      expect(await authenticate(device, credential, { signCount: seen })).toMatchObject({
        signCount: seen,
        cloneSuspected,
      });
    });

    test("that stands still is no clone if the signature is wrong: anybody could say so", async () => {
      const device = new Authenticator({ origin });
      const credential = { ...(await register(device)), signCount: 5 };
      const lies = { signCount: 5, wrongSignature: true };
      expect(await refusalOf(authenticate(device, credential, lies))).toMatch(/signature is wrong/);
    });
  });
});
