import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";

/**
 * A browser and an authenticator in one, in software: answers creation and request options the way
 * `navigator.credentials` and `PublicKeyCredential.toJSON()` do, with attestation `none`.
 *
 * ```ts
 * const device = new Authenticator({ origin: "https://login.example.com" });
 * const { passkeyId, publicKeyCredentialCreationOptions } = await registerPasskey(…);
 * await verifyPasskeyRegistration({ passkeyId, publicKeyCredential: device.create(publicKeyCredentialCreationOptions), … });
 * …
 * const assertion = device.get(challenges.webAuthN.publicKeyCredentialRequestOptions);
 * ```
 *
 * Honest by default: the relying party and the challenge of the options, a present and verified user, a counter that
 * goes up. A second argument makes it lie, in one thing at a time or in many.
 */
export class Authenticator {
  readonly #origin: string;
  readonly #algorithm: Algorithm | undefined;
  readonly #flags: Required<Flags>;
  readonly #credentials: Credential[] = [];

  constructor({ origin = "https://example.com", algorithm, ...flags }: AuthenticatorOptions = {}) {
    this.#origin = origin;
    this.#algorithm = algorithm;
    this.#flags = {
      userPresent: true,
      userVerified: true,
      backupEligible: false,
      backedUp: false,
      ...flags,
    };
  }

  /** Makes a credential, as `navigator.credentials.create()` does. @throws Error where a browser refuses */
  create(options: unknown, lies: Lies = {}): JsonObject {
    const { publicKey } = options as CreationOptions;
    const { rp, user, challenge, pubKeyCredParams, excludeCredentials = [] } = publicKey;
    if (excludeCredentials.some(({ id }) => this.#credentials.some((known) => known.id === id))) {
      throw new Error("InvalidStateError: the authenticator has one of the excluded credentials");
    }
    const offered = pubKeyCredParams.map(({ alg }) => alg);
    const algorithm = this.#algorithm ?? "ES256";
    if (!offered.includes(algorithms[algorithm].cose)) {
      throw new Error("NotSupportedError: the algorithm is not asked for");
    }
    const credential: Credential = {
      id: randomBytes(32).toString("base64url"),
      rpId: rp.id,
      userHandle: user.id,
      algorithm,
      privateKey: newKey(algorithm),
      signCount: 0,
    };
    this.#credentials.push(credential);
    const { coseKey = coseKeyOf(credential), attestedCredentialId = credential.id } = lies;
    const authenticatorData = Buffer.concat([
      this.#authenticatorData(credential, lies, 0x40),
      Buffer.alloc(16),
      attestedCredentialData(attestedCredentialId, coseKey),
    ]);
    const attestation = new Map<string, Cbor>([
      ["fmt", "none"],
      ["attStmt", new Map()],
      ["authData", authenticatorData],
    ]);
    return this.#json(credential, {
      clientDataJSON: this.#clientData("webauthn.create", challenge, lies),
      attestationObject: cbor(attestation).toString("base64url"),
      transports: ["internal"],
    });
  }

  /** Signs with a credential, as `navigator.credentials.get()` does. @throws Error if it has none that is allowed */
  get(options: unknown, lies: Lies = {}): JsonObject {
    const { publicKey } = options as RequestOptions;
    const { rpId, challenge, allowCredentials = [] } = publicKey;
    const credential = this.#credentials.find(
      (known) =>
        known.rpId === rpId &&
        (allowCredentials.length === 0 || allowCredentials.some(({ id }) => id === known.id)),
    );
    if (!credential) throw new Error("NotAllowedError: no credential of those allowed");
    credential.signCount += 1;
    const authenticatorData = this.#authenticatorData(credential, lies);
    const clientDataJSON = this.#clientData("webauthn.get", challenge, lies);
    const clientDataHash = sha256(Buffer.from(clientDataJSON, "base64url"));
    const signature = signed(credential, Buffer.concat([authenticatorData, clientDataHash]));
    if (lies.wrongSignature) signature[signature.length - 1]! ^= 1;
    const userHandle = lies.userHandle === undefined ? credential.userHandle : lies.userHandle;
    return this.#json(credential, {
      clientDataJSON,
      authenticatorData: authenticatorData.toString("base64url"),
      signature: signature.toString("base64url"),
      ...(userHandle === null ? {} : { userHandle }),
    });
  }

  /** The ids of its credentials, oldest first; base64url. */
  get credentialIds(): string[] {
    return this.#credentials.map(({ id }) => id);
  }

  #authenticatorData({ rpId, signCount }: Credential, lies: Lies, more = 0): Buffer {
    const is = { ...this.#flags, ...lies };
    const flags =
      (is.userPresent ? 0x01 : 0) |
      (is.userVerified ? 0x04 : 0) |
      (is.backupEligible ? 0x08 : 0) |
      (is.backedUp ? 0x10 : 0) |
      more;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.signCount ?? signCount);
    return Buffer.concat([sha256(Buffer.from(lies.rpId ?? rpId)), Buffer.of(flags), counter]);
  }

  #clientData(type: string, challenge: string, lies: Lies): string {
    const { crossOrigin = false, topOrigin } = lies;
    const clientData = {
      type: lies.type ?? type,
      challenge: lies.challenge ?? challenge,
      origin: lies.origin ?? this.#origin,
      crossOrigin,
      ...(topOrigin === undefined ? {} : { topOrigin }),
    };
    return Buffer.from(JSON.stringify(clientData)).toString("base64url");
  }

  #json({ id }: Credential, response: JsonObject): JsonObject {
    return {
      id,
      rawId: id,
      type: "public-key",
      response,
      clientExtensionResults: {},
      authenticatorAttachment: "platform",
    };
  }
}

type Flags = { userPresent?: boolean; userVerified?: boolean; backupEligible?: boolean; backedUp?: boolean };

export type AuthenticatorOptions = Flags & {
  /** Of the page the browser shows. */
  origin?: string;
  /** Of the keys it makes; ES256 by default. */
  algorithm?: Algorithm;
};

/** What it says against its better knowledge, once. */
export type Lies = Flags & {
  origin?: string;
  crossOrigin?: boolean;
  topOrigin?: string;
  /** The type in the client data: `webauthn.create`, `webauthn.get`. */
  type?: string;
  /** Base64url. */
  challenge?: string;
  /** The relying party it signs for. */
  rpId?: string;
  signCount?: number;
  wrongSignature?: boolean;
  /** Base64url; null: none. */
  userHandle?: string | null;
  /** Base64url; what `create()` attests instead of the id it tells. */
  attestedCredentialId?: string;
  /** What `create()` attests as public key. */
  coseKey?: Uint8Array;
};

type Descriptor = { type: string; id: string };
type CreationOptions = {
  publicKey: {
    rp: { id: string };
    user: { id: string };
    challenge: string;
    pubKeyCredParams: { alg: number }[];
    excludeCredentials?: Descriptor[];
  };
};
type RequestOptions = {
  publicKey: { challenge: string; rpId: string; allowCredentials?: Descriptor[] };
};

type Credential = {
  id: string;
  rpId: string;
  userHandle: string;
  algorithm: Algorithm;
  privateKey: KeyObject;
  signCount: number;
};

/** COSE number, COSE type and, if it has one, curve, the digest it signs, and whether RSA pads as PSS does. */
const algorithms = {
  ES256: { cose: -7, type: 2, curve: 1, name: "P-256", digest: "sha256" },
  ES384: { cose: -35, type: 2, curve: 2, name: "P-384", digest: "sha384" },
  ES512: { cose: -36, type: 2, curve: 3, name: "P-521", digest: "sha512" },
  EdDSA: { cose: -8, type: 1, curve: 6, name: "Ed25519", digest: null },
  RS256: { cose: -257, type: 3, digest: "sha256", pss: false },
  RS384: { cose: -258, type: 3, digest: "sha384", pss: false },
  RS512: { cose: -259, type: 3, digest: "sha512", pss: false },
  PS256: { cose: -37, type: 3, digest: "sha256", pss: true },
  PS384: { cose: -38, type: 3, digest: "sha384", pss: true },
  PS512: { cose: -39, type: 3, digest: "sha512", pss: true },
} as const;

export type Algorithm = keyof typeof algorithms;
export const algorithmNames = Object.keys(algorithms) as Algorithm[];

function newKey(algorithm: Algorithm): KeyObject {
  const spec = algorithms[algorithm];
  if (spec.type === 1) return generateKeyPairSync("ed25519").privateKey;
  if (spec.type === 2) return generateKeyPairSync("ec", { namedCurve: spec.name }).privateKey;
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
}

function signed({ algorithm, privateKey }: Credential, data: Buffer): Buffer {
  const spec = algorithms[algorithm];
  if (spec.type !== 3 || !spec.pss) return sign(spec.digest, data, privateKey);
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  return sign(spec.digest, data, { key: privateKey, padding, saltLength });
}

function coseKeyOf({ algorithm, privateKey }: Credential): Buffer {
  return coseKey(algorithm, createPublicKey(privateKey).export({ format: "jwk" }));
}

/** A public key as authenticators write it (RFC 9052 §7). */
export function coseKey(algorithm: Algorithm, jwk: JsonWebKey): Buffer {
  const spec = algorithms[algorithm];
  const bytes = (text: string | undefined) => Buffer.from(text!, "base64url");
  const own: [number, Cbor][] =
    spec.type === 3
      ? [
          [-1, bytes(jwk.n)],
          [-2, bytes(jwk.e)],
        ]
      : [
          [-1, spec.curve],
          [-2, bytes(jwk.x)],
          ...(spec.type === 2 ? [[-3, bytes(jwk.y)] as [number, Cbor]] : []),
        ];
  return cbor(new Map<number, Cbor>([[1, spec.type], [3, spec.cose], ...own]));
}

function attestedCredentialData(credentialId: string, key: Uint8Array): Buffer {
  const id = Buffer.from(credentialId, "base64url");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length);
  return Buffer.concat([length, id, key]);
}

export type Cbor = number | string | Uint8Array | Map<number | string, Cbor>;

/** The little of CBOR (RFC 8949) authenticators need. */
export function cbor(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string")
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([
    head(5, value.size),
    ...[...value].flatMap(([key, item]) => [cbor(key), cbor(item)]),
  ]);
}

function head(major: number, length: number): Buffer {
  const type = major << 5;
  if (length < 24) return Buffer.of(type | length);
  if (length < 0x100) return Buffer.of(type | 24, length);
  return Buffer.of(type | 25, length >> 8, length & 0xff);
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
