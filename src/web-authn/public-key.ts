import { createPublicKey } from "node:crypto";
import { decodeCredentialPublicKey } from "@simplewebauthn/server/helpers";
import { WebAuthNError } from "./web-authn-error.ts";

/** Labels of a COSE key (RFC 9052 §7.1, RFC 9053 §7, RFC 8230 §4). What -1 to -3 stand for depends on the type. */
const label = { type: 1, algorithm: 3, curve: -1, x: -2, y: -3, modulus: -1, exponent: -2 } as const;

type Algorithm =
  | { cose: number; type: "OKP" | "EC"; typeNumber: number; curve: string; curveNumber: number }
  | { cose: number; type: "RSA"; typeNumber: number };

const ec = (cose: number, curve: string, curveNumber: number): Algorithm => {
  return { cose, type: "EC", typeNumber: 2, curve, curveNumber };
};
const rsa = (cose: number): Algorithm => ({ cose, type: "RSA", typeNumber: 3 });

/** ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA: what new credentials may be made with. */
const algorithms: readonly Algorithm[] = [
  ec(-7, "P-256", 1),
  ec(-35, "P-384", 2),
  ec(-36, "P-521", 3),
  ...[-257, -258, -259, -37, -38, -39].map(rsa),
  { cose: -8, type: "OKP", typeNumber: 1, curve: "Ed25519", curveNumber: 6 },
];

/** COSE numbers, in the order of preference. */
export const algorithmIds: readonly number[] = algorithms.map(({ cose }) => cose);

/** A verifier's work grows with both; no authenticator makes keys outside of these. */
const RSA_MODULUS_BYTES = { min: 256, max: 1024 };
const RSA_EXPONENT_MAX_BYTES = 4;

/**
 * Refuses a key that could never verify a signature, or only at a price: one of another curve than its algorithm's
 * (WebAuthn Level 3 §5.8.5), a point that is not on it, an RSA key too short or too long.
 * @param coseKey as the authenticator wrote it
 * @throws WebAuthNError `refused`
 */
export function checkPublicKey(coseKey: Uint8Array): void {
  const key = decodeCredentialPublicKey(new Uint8Array(coseKey)) as Map<number, unknown>;
  const algorithm = algorithms.find(({ cose }) => cose === key.get(label.algorithm));
  if (algorithm === undefined || key.get(label.type) !== algorithm.typeNumber) throw unusable();
  try {
    createPublicKey({ key: jwkOf(key, algorithm), format: "jwk" });
  } catch (cause) {
    if (cause instanceof WebAuthNError) throw cause;
    throw new WebAuthNError("refused", "the public key is invalid", { cause });
  }
}

function jwkOf(key: Map<number, unknown>, algorithm: Algorithm): Record<string, string> {
  if (algorithm.type === "RSA") {
    const [n, e] = [bytes(key, label.modulus), bytes(key, label.exponent)];
    const { min, max } = RSA_MODULUS_BYTES;
    if (n.length < min || n.length > max || e.length > RSA_EXPONENT_MAX_BYTES) throw unusable();
    return { kty: "RSA", n: base64url(n), e: base64url(e) };
  }
  if (key.get(label.curve) !== algorithm.curveNumber) throw unusable();
  const x = base64url(bytes(key, label.x));
  const { type: kty, curve: crv } = algorithm;
  return kty === "OKP" ? { kty, crv, x } : { kty, crv, x, y: base64url(bytes(key, label.y)) };
}

function bytes(key: Map<number, unknown>, at: number): Uint8Array {
  const value = key.get(at);
  if (!(value instanceof Uint8Array)) throw unusable();
  return value;
}

const base64url = (value: Uint8Array): string => Buffer.from(value).toString("base64url");

const unusable = (): WebAuthNError => new WebAuthNError("refused", "the public key is of an unusable kind");
