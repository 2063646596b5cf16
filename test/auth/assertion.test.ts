import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { keyIdOf, verifyAssertion } from "../../src/auth/assertion.ts";

const NOW = new Date("2026-07-10T09:00:00.000Z");
const seconds = NOW.getTime() / 1_000;
const AUDIENCES = ["https://auth.example.com", "https://auth.example.com/oauth/v2/token"];

const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { userId: "bot", publicKey: pem(rsa.publicKey) };

const good = { iss: "bot", sub: "bot", aud: AUDIENCES[0]!, iat: seconds, exp: seconds + 60 };
const without = (claim: keyof typeof good): JWTPayload => {
  const { [claim]: _, ...rest } = good;
  return rest;
};

const signed = (claims: JWTPayload, { alg = "RS256", by = rsa.privateKey, header = {} } = {}) =>
  new SignJWT(claims).setProtectedHeader({ alg, kid: "k", ...header }).sign(by);

const verify = async (assertion: string | Promise<string>, of: typeof key | undefined = key, now = NOW) =>
  verifyAssertion(await assertion, of, AUDIENCES, now);
const refusal = (message: string) => ({ name: "TokenRefusal", code: "invalid_grant", message });

const UNKNOWN = "the assertion is not signed by a key known here";

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A JWT put together by hand, with whatever signature. */
const handmade = (header: object, claims: JWTPayload, signature: (input: string) => Buffer) => {
  const input = `${base64url(header)}.${base64url(claims)}`;
  return `${input}.${signature(input).toString("base64url")}`;
};

describe("an assertion", () => {
  it("signed by the user's key, for this server, for a minute, is good, and good again", async () => {
    const assertion = await signed(good);
    await verify(assertion);
    await verify(assertion);
  });

  it.each([
    ["RS256", rsa],
    ["ES256", ec],
    ["ES384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["ES512", generateKeyPairSync("ec", { namedCurve: "P-521" })],
    ["EdDSA", generateKeyPairSync("ed25519")],
    ["Ed25519", generateKeyPairSync("ed25519")],
  ])("may be signed with %s by a key of that kind", async (alg, pair) => {
    await verify(signed(good, { alg, by: pair.privateKey }), {
      userId: "bot",
      publicKey: pem(pair.publicKey),
    });
  });

  it.each<[string, JWTPayload]>([
    ["that names the token endpoint", { ...good, aud: AUDIENCES[1]! }],
    ["that names others too", { ...good, aud: ["https://elsewhere.example.com", AUDIENCES[1]!] }],
    ["without a time of issue", without("iat")],
    ["issued long ago", { ...good, iat: seconds - 86_400 }],
    [
      "of a clock half a minute ahead",
      { ...good, iat: seconds + 30, nbf: seconds + 30, exp: seconds + 3_630 },
    ],
    ["of a clock half a minute behind", { ...good, exp: seconds - 29 }],
    ["with claims nobody asked for", { ...good, jti: "1", scope: "openid" }],
  ])("%s is good", async (_, claims) => {
    await verify(signed(claims));
  });

  it.each<[string, JWTPayload, string]>([
    ["that has expired", { ...good, exp: seconds - 30 }, "the assertion has expired"],
    ["without an end", without("exp"), "the assertion has no exp"],
    [
      "with an end that is no number",
      { ...good, exp: "soon" as unknown as number },
      "exp of the assertion is not acceptable",
    ],
    [
      "that lasts too long",
      { ...good, exp: seconds + 3_631 },
      "the assertion expires more than an hour from now",
    ],
    ["that never ends", { ...good, exp: 1e300 }, "the assertion expires more than an hour from now"],
    ["of tomorrow", { ...good, iat: seconds + 31 }, "the assertion was issued in the future"],
    [
      "issued at no number",
      { ...good, iat: "now" as unknown as number },
      "iat of the assertion is not acceptable",
    ],
    ["not good yet", { ...good, nbf: seconds + 31 }, "nbf of the assertion is not acceptable"],
    ["for nobody", without("aud"), "aud of the assertion does not name this server"],
    [
      "for another server",
      { ...good, aud: "https://elsewhere.example.com" },
      "aud of the assertion does not name this server",
    ],
    [
      "for a part of our name",
      { ...good, aud: "https://auth.example" },
      "aud of the assertion does not name this server",
    ],
    [
      "for no text",
      { ...good, aud: { a: 1 } as unknown as string },
      "aud of the assertion does not name this server",
    ],
    ["about nobody", without("sub"), "iss and sub of the assertion are not the user the key belongs to"],
    ["by nobody", without("iss"), "iss and sub of the assertion are not the user the key belongs to"],
    [
      "about another user",
      { ...good, sub: "mia" },
      "iss and sub of the assertion are not the user the key belongs to",
    ],
    [
      "by another user",
      { ...good, iss: "mia" },
      "iss and sub of the assertion are not the user the key belongs to",
    ],
    [
      "by and about another user",
      { ...good, iss: "mia", sub: "mia" },
      "iss and sub of the assertion are not the user the key belongs to",
    ],
  ])("%s is not", async (_, claims, message) => {
    await expect(verify(signed(claims))).rejects.toMatchObject(refusal(message));
  });

  const header = { alg: "RS256", kid: "k" };
  const rs256 = (input: string) => sign("sha256", Buffer.from(input), rsa.privateKey);
  it.each<[string, () => string | Promise<string>]>([
    ["signed by another key", () => signed(good, { by: otherRsa.privateKey })],
    ["that is not signed", () => new UnsecuredJWT(good).encode()],
    ["of no algorithm and a good signature", () => handmade({ ...header, alg: "none" }, good, rs256)],
    [
      "of no algorithm and no signature",
      () => handmade({ ...header, alg: "none" }, good, () => Buffer.alloc(0)),
    ],
    [
      "that takes the public key for a shared secret",
      () =>
        handmade({ ...header, alg: "HS256" }, good, (input) =>
          createHmac("sha256", key.publicKey).update(input).digest(),
        ),
    ],
    ["of another algorithm, by the same key", () => signed(good, { alg: "PS256" })],
    ["of a longer hash, by the same key", () => signed(good, { alg: "RS512" })],
    ["of a curve's algorithm", () => signed(good, { alg: "ES256", by: ec.privateKey })],
    [
      "with another payload than was signed",
      async () => {
        const [head, , signature] = (await signed(good)).split(".");
        return `${head}.${base64url({ ...good, aud: AUDIENCES[1] })}.${signature}`;
      },
    ],
    ["that demands what is not understood", () => handmade({ ...header, crit: ["b"], b: 1 }, good, rs256)],
    ["with a payload that is no object", () => handmade(header, [] as unknown as JWTPayload, rs256)],
    ["of two parts", () => "e30.e30"],
    ["of five parts", () => "e30.e30.e30.e30.e30"],
    ["that is empty", () => ""],
    ["that is any text", () => "assertion"],
  ])("%s is not, and nobody learns why", async (_, assertion) => {
    await expect(verify(assertion())).rejects.toMatchObject(refusal(UNKNOWN));
  });

  it("of a key nobody has is refused in the same words", async () => {
    await expect(verifyAssertion(await signed(good), undefined, AUDIENCES, NOW)).rejects.toMatchObject(
      refusal(UNKNOWN),
    );
  });

  it("is for nobody where the server has no name", async () => {
    await expect(verifyAssertion(await signed(good), key, [], NOW)).rejects.toMatchObject(
      refusal("aud of the assertion does not name this server"),
    );
  });

  it("says which key it is signed with, if it is a JWT at all", async () => {
    expect(keyIdOf(await signed(good))).toBe("k");
    expect(keyIdOf(handmade({ alg: "RS256" }, good, rs256))).toBeUndefined();
    for (const text of ["", "x", ".", "..", "e30.e30.e30", "A".repeat(1_000)])
      expect(keyIdOf(text)).toBeUndefined();
  });
});
