import { createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { DomainError } from "../errors.ts";

const generate = promisify(generateKeyPair);

/** How many may be on their way at once; with a tenth of a second or two each, the last one waits a few seconds. */
const QUEUE_LIMIT = 20;

let waiting = 0;
let turn: Promise<unknown> = Promise.resolve();

/**
 * A new RSA key pair of 2048 bits. It takes a thread of libuv a good while, and passwords and files want those threads
 * too: whoever asks at the same time waits for the one before.
 * @throws DomainError `user.keys_busy` if too many do
 */
export async function newMachineKeyPair(): Promise<{ publicKey: string; privateKey: string }> {
  if (waiting >= QUEUE_LIMIT) throw new DomainError("user.keys_busy");
  waiting += 1;
  const made = turn.then(() =>
    generate("rsa", {
      modulusLength: 2_048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    }),
  );
  turn = made.catch(() => {});
  return made.finally(() => {
    waiting -= 1;
  });
}

/** Far above any key in use, and cheap to refuse. */
const MAX_PEM_LENGTH = 16_384;

/** A certificate would bring an expiry nobody looks at, a private key does not belong here. */
const publicKeyLabel = /^\s*-----BEGIN (RSA )?PUBLIC KEY-----/;

/**
 * A public key somebody made themselves: RSA, EC or Ed25519, in PEM.
 * @returns the same as PEM, SubjectPublicKeyInfo; undefined if it is none, or none that is safe to verify with
 */
export function readPublicKey(pem: string): string | undefined {
  if (pem.length > MAX_PEM_LENGTH || !publicKeyLabel.test(pem)) return undefined;
  try {
    const key = createPublicKey(pem);
    return signatureAlgorithms(key).length > 0
      ? key.export({ type: "spki", format: "pem" }).toString()
      : undefined;
  } catch {
    return undefined;
  }
}

const curves: { readonly [name: string]: readonly string[] } = {
  prime256v1: ["ES256"],
  secp384r1: ["ES384"],
  secp521r1: ["ES512"],
};

/**
 * What a key may sign with (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2): its kind decides, never the signed text.
 * @returns none for a key that is too weak, too costly to verify with, or of another kind
 */
export function signatureAlgorithms(key: KeyObject): readonly string[] {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return isSoundRsa(key) ? ["RS256"] : [];
    case "ec":
      return curves[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? [];
    case "ed25519":
      return ["EdDSA", "Ed25519"];
    default:
      return [];
  }
}

// An exponent of 1 would sign nothing, and a huge one makes verifying as slow as signing.
function isSoundRsa({ asymmetricKeyDetails }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  const exponentFits = publicExponent >= 3n && publicExponent < 2n ** 32n;
  return modulusLength >= 2_048 && modulusLength <= 8_192 && exponentFits;
}
