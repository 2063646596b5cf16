import {
  createPrivateKey,
  createPublicKey,
  createSign,
  createVerify,
  generateKeyPairSync,
} from "node:crypto";
import { describe, expect, it } from "vitest";
import { newMachineKeyPair, readPublicKey, signatureAlgorithms } from "../../src/auth/machine-key-pair.ts";

const spki = { type: "spki", format: "pem" } as const;

const pairs = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  weakRsa: generateKeyPairSync("rsa", { modulusLength: 1_024 }),
  rsaPss: generateKeyPairSync("rsa-pss", { modulusLength: 2_048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  secp256k1: generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  ed25519: generateKeyPairSync("ed25519"),
  ed448: generateKeyPairSync("ed448"),
  x25519: generateKeyPairSync("x25519"),
};
const pem = (name: keyof typeof pairs) => pairs[name].publicKey.export(spki).toString();

/** An RSA public key of any numbers, valid or not. */
const rsaOf = (modulusBytes: number, exponent: string) => {
  const n = Buffer.alloc(modulusBytes, 0xff).toString("base64url");
  return createPublicKey({ key: { kty: "RSA", n, e: exponent }, format: "jwk" })
    .export(spki)
    .toString();
};

describe("a key pair made here", () => {
  it("is RSA of 2048 bits, the private part in PKCS#1, and its halves fit", async () => {
    const { publicKey, privateKey } = await newMachineKeyPair();
    expect(privateKey).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
    expect(createPrivateKey(privateKey).asymmetricKeyDetails).toMatchObject({ modulusLength: 2_048 });
    const signature = createSign("sha256").update("text").sign(privateKey);
    expect(createVerify("sha256").update("text").verify(publicKey, signature)).toBe(true);
    expect(readPublicKey(publicKey)).toBe(publicKey);
  });

  it("is another each time, and the event loop turns meanwhile", async () => {
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 1);
    const made = await Promise.all([newMachineKeyPair(), newMachineKeyPair()]);
    clearInterval(counting);
    expect(made[0].privateKey).not.toBe(made[1].privateKey);
    expect(turns).toBeGreaterThan(0);
  });

  it("is refused while twenty others are on their way, and made again afterwards", async () => {
    const asked = await Promise.allSettled(Array.from({ length: 23 }, newMachineKeyPair));
    const refused = asked.filter(({ status }) => status === "rejected");
    expect(refused).toEqual(
      Array.from({ length: 3 }, () => ({
        status: "rejected",
        reason: expect.objectContaining({ slug: "user.keys_busy" }),
      })),
    );
    await newMachineKeyPair();
  });
});

describe("a public key brought along", () => {
  it.each([
    ["rsa", ["RS256"]],
    ["p256", ["ES256"]],
    ["p384", ["ES384"]],
    ["p521", ["ES512"]],
    ["ed25519", ["EdDSA", "Ed25519"]],
  ] as const)("%s is taken, and signs with %j only", (name, algorithms) => {
    expect(readPublicKey(pem(name))).toBe(pem(name));
    expect(signatureAlgorithms(pairs[name].publicKey)).toEqual(algorithms);
  });

  it("in PKCS#1 is kept as SubjectPublicKeyInfo", () => {
    const pkcs1 = pairs.rsa.publicKey.export({ type: "pkcs1", format: "pem" }).toString();
    expect(readPublicKey(pkcs1)).toBe(pem("rsa"));
    expect(readPublicKey(`\n${pkcs1}`)).toBe(pem("rsa"));
  });

  it.each([
    ["too short an RSA key", pem("weakRsa")],
    ["an RSA key with an exponent of 1", rsaOf(256, "AQ")],
    ["an RSA key that takes ages to verify with", rsaOf(256, Buffer.alloc(255, 0xff).toString("base64url"))],
    ["an RSA key that is far too long", rsaOf(2_048, "AQAB")],
    ["an RSA-PSS key", pem("rsaPss")],
    ["a curve JWTs do not know", pem("secp256k1")],
    ["a signature algorithm nobody uses", pem("ed448")],
    ["a key that signs nothing", pem("x25519")],
    ["a private key", pairs.rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["a private key in PKCS#1", pairs.rsa.privateKey.export({ type: "pkcs1", format: "pem" }).toString()],
    ["DER", pairs.rsa.publicKey.export({ type: "spki", format: "der" }).toString("latin1")],
    ["text", "ssh-ed25519 AAAA"],
    ["a label without a key", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"],
    ["megabytes", `${pem("rsa")}${"\n".repeat(20_000)}`],
  ])("is none if it is %s", (_, text) => {
    expect(readPublicKey(text)).toBeUndefined();
  });
});
