import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { creationOptions, verifyRegistration } from "../../src/web-authn/registration.ts";
import { userHandleOf } from "../../src/web-authn/user-handle.ts";
import {
  Authenticator,
  algorithmNames,
  type Cbor,
  cbor,
  coseKey,
  type Lies,
} from "../support/authenticator.ts";
import { attested, newCredential, refusalOf, register, registration } from "./ceremonies.ts";

const newDevice = () => new Authenticator({ origin: "https://login.example.com" });

describe("creation options", () => {
  test("have a single member and the ten algorithms", () => {
    expect(creationOptions({ ...newCredential, excludedCredentialIds: ["AAEC"] })).toEqual({
      publicKey: {
        rp: { id: "example.com", name: "Gatehouse" },
        user: { id: "bWlh", name: "mia@example.com", displayName: "Mia Example" },
        challenge: newCredential.challenge,
        pubKeyCredParams: [-7, -35, -36, -257, -258, -259, -37, -38, -39, -8].map((alg) => ({
          type: "public-key",
          alg,
        })),
        timeout: 300_000,
        excludeCredentials: [{ type: "public-key", id: "AAEC" }],
        authenticatorSelection: { userVerification: "required" },
        attestation: "none",
      },
    });
  });

  test.each(["platform", "cross-platform"] as const)(
    "ask for a %s authenticator if told to",
    (attachment) => {
      expect(creationOptions({ ...newCredential, attachment })).toMatchObject({
        publicKey: {
          authenticatorSelection: { authenticatorAttachment: attachment, userVerification: "required" },
        },
      });
    },
  );
});

describe("a user handle", () => {
  test("is the id's bytes, and a digest of an id no browser would take", () => {
    const handle = (id: string) => Buffer.from(userHandleOf(id), "base64url");
    expect(handle("zoë").toString()).toBe("zoë");
    expect(handle("a".repeat(64)).toString()).toBe("a".repeat(64));
    expect(handle("a".repeat(65))).toHaveLength(32);
    expect(handle("a".repeat(65))).not.toEqual(handle("a".repeat(66)));
    // Counted in bytes, not in characters.
    expect(handle("ë".repeat(33))).toHaveLength(32);
  });
});

describe("a registration", () => {
  test.each(algorithmNames)("with an %s key is accepted", async (algorithm) => {
    const device = new Authenticator({ algorithm });
    expect(await register(device)).toEqual({
      credentialId: device.credentialIds[0],
      publicKey: expect.stringMatching(/^[\w-]+$/),
      aaguid: "00000000-0000-0000-0000-000000000000",
      attestationFormat: "none",
      signCount: 0,
      transports: ["internal"],
      backupEligible: false,
      backedUp: false,
      userVerified: true,
    });
  });

  test("tells counter and flags as the authenticator has them", async () => {
    const device = new Authenticator({ backupEligible: true, backedUp: true });
    expect(await register(device, { signCount: 7 })).toMatchObject({
      signCount: 7,
      backupEligible: true,
      backedUp: true,
    });
  });

  test("without verification of the user is accepted only where that is not asked for", async () => {
    const lies = { userVerified: false };
    expect(await refusalOf(register(newDevice(), lies))).toMatch(/could not be verified/);
    const lenient = { requireUserVerification: false };
    expect(await register(newDevice(), lies, lenient)).toMatchObject({ userVerified: false });
  });

  test("from a frame counts inside a page of the same relying party", async () => {
    const lies = { crossOrigin: true, topOrigin: "https://app.example.com" };
    expect(await register(newDevice(), lies)).toMatchObject({ userVerified: true });
  });

  const smallRsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" });
  const p256ForEs384 = cbor(
    new Map<number, Cbor>([
      [1, 2],
      [3, -35],
      [-1, 1],
      [-2, Buffer.from(p256.x!, "base64url")],
      [-3, Buffer.from(p256.y!, "base64url")],
    ]),
  );

  const rsaForCurves = cbor(
    new Map<number, Cbor>([
      [1, 2],
      [3, -257],
      [-1, Buffer.from(rsa.n!, "base64url")],
      [-2, Buffer.from(rsa.e!, "base64url")],
    ]),
  );

  const refused: [what: string, lies: Lies, why: RegExp][] = [
    ["for another challenge", { challenge: "b3RoZXI" }, /another challenge/],
    ["of another type", { type: "webauthn.get" }, /not of type webauthn.create/],
    ["by a page of another origin", { origin: "https://evil.test" }, /page of "https:\/\/evil.test/],
    ["by a page without TLS", { origin: "http://login.example.com" }, /page of "http:\/\/login/],
    ["framed by a stranger", { crossOrigin: true, topOrigin: "https://evil.test" }, /framed by "https/],
    ["framed by nobody knows whom", { crossOrigin: true }, /framed by undefined/],
    ["in a page, though not framed", { topOrigin: "https://evil.test" }, /framed by "https/],
    ["for another relying party", { rpId: "evil.test" }, /RP ID hash/],
    ["for a subdomain of the relying party", { rpId: "login.example.com" }, /RP ID hash/],
    ["without anybody present", { userPresent: false }, /not present/],
    ["backed up though it cannot be", { backedUp: true }, /should be impossible/],
    ["of another id than was attested", { attestedCredentialId: "AAECAwQFBgcICQ" }, /not the one that was/],
    ["with an RSA key of 1024 bits", { coseKey: coseKey("RS256", smallRsa) }, /unusable kind/],
    [
      "with a public exponent of 5 bytes",
      { coseKey: coseKey("RS256", { ...rsa, e: "AQAAAAE" }) },
      /unusable/,
    ],
    ["with a point off the curve", { coseKey: coseKey("ES256", { ...p256, x: p256.y! }) }, /key is invalid/],
    ["with a key of another type than its algorithm's", { coseKey: rsaForCurves }, /unusable kind/],
    ["with a key of another algorithm's curve", { coseKey: p256ForEs384 }, /unusable kind/],
    [
      "with an Ed25519 key too short",
      { coseKey: coseKey("EdDSA", { x: "AAAAAAAAAAAAAAAAAAAAAA" }) },
      /key is invalid/,
    ],
    [
      "with an algorithm nobody asked for",
      {
        coseKey: cbor(
          new Map([
            [1, 2],
            [3, -47],
          ]),
        ),
      },
      /public key alg/,
    ],
    ["with a key without an algorithm", { coseKey: cbor(new Map([[1, 2]])) }, /missing numeric alg/],
    [
      "with a key without a point",
      {
        coseKey: cbor(
          new Map([
            [1, 2],
            [3, -7],
            [-1, 1],
          ]),
        ),
      },
      /unusable kind/,
    ],
    ["with a key that is no key", { coseKey: cbor("key") }, /does not verify/],
    ["without a key", { coseKey: new Uint8Array() }, /does not verify/],
    [
      "with bytes after the key",
      { coseKey: Buffer.concat([coseKey("ES256", p256), Buffer.of(0)]) },
      /Leftover/,
    ],
  ];
  test.each(refused)("%s is refused", async (_, lies, why) => {
    expect(await refusalOf(register(newDevice(), lies))).toMatch(why);
  });

  test("pretending that a text is the authenticator's data is refused", async () => {
    const json = attested(newDevice());
    const attestationObject = cbor(
      new Map<string, Cbor>([
        ["fmt", "none"],
        ["attStmt", new Map()],
        ["authData", "x".repeat(200)],
      ]),
    ).toString("base64url");
    const response = { ...(json.response as object), attestationObject };
    expect(await refusalOf(verifyRegistration({ ...json, response }, registration))).toMatch(
      /does not verify/,
    );
  });

  test("nested too deeply to be read is refused", async () => {
    const json = attested(newDevice());
    const attestationObject = Buffer.alloc(48_000, 0x81).toString("base64url");
    const response = { ...(json.response as object), attestationObject };
    expect(await refusalOf(verifyRegistration({ ...json, response }, registration))).toMatch(
      /does not verify/,
    );
  });

  test("may come padded, and without transports", async () => {
    const { id, response, ...json } = attested(newDevice()) as {
      id: string;
      response: { transports: string[] };
    };
    const { transports: _, ...binaries } = response;
    const padded = `${id}=`;
    const registered = (more: object) =>
      verifyRegistration(
        { ...json, id: padded, rawId: padded, response: { ...binaries, ...more } },
        registration,
      );
    expect(await registered({})).toMatchObject({ credentialId: id, transports: [] });
    expect(await registered({ transports: null })).toMatchObject({ transports: [] });
  });
});
