import { WebAuthNError } from "./web-authn-error.ts";

/** The JSON form of a new credential (WebAuthn Level 3 §5.1.8). Binary members are base64url without padding. */
export type Attestation = {
  credentialId: string;
  clientDataJSON: string;
  attestationObject: string;
  /** How the browser reaches the authenticator: `usb`, `internal`, …; it may not know. */
  transports: string[];
};

/** The JSON form of a signature with a credential. Binary members are base64url without padding. */
export type Assertion = {
  credentialId: string;
  clientDataJSON: string;
  authenticatorData: string;
  signature: string;
  /** Absent: the authenticator did not keep it. */
  userHandle?: string;
};

/** Far above what authenticators send; more would only be work. In characters. */
const MAX_CREDENTIAL_ID = 1_364;
const MAX_BINARY = 65_536;
const MAX_TRANSPORTS = 16;

/** @throws WebAuthNError `malformed` */
export function readAttestation(json: unknown): Attestation {
  const { credentialId, response } = readCredential(json);
  return {
    credentialId,
    clientDataJSON: binary(response.clientDataJSON),
    attestationObject: binary(response.attestationObject),
    transports: transports(response.transports),
  };
}

/** @throws WebAuthNError `malformed` */
export function readAssertion(json: unknown): Assertion {
  const { credentialId, response } = readCredential(json);
  // Browsers of different ages write "no handle" in three ways.
  const userHandle = response.userHandle ?? "";
  return {
    credentialId,
    clientDataJSON: binary(response.clientDataJSON),
    authenticatorData: binary(response.authenticatorData),
    signature: binary(response.signature),
    ...(userHandle === "" ? {} : { userHandle: binary(userHandle) }),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function readCredential(json: unknown): { credentialId: string; response: JsonObject } {
  const { id, rawId, type, response } = object(json);
  const credentialId = binary(id, MAX_CREDENTIAL_ID);
  if (binary(rawId, MAX_CREDENTIAL_ID) !== credentialId || type !== "public-key") throw malformed();
  return { credentialId, response: object(response) };
}

function object(value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed();
  return value as JsonObject;
}

/** Some clients pad. Otherwise there is one way to write some bytes: ids are compared as text. */
function binary(value: unknown, maxLength = MAX_BINARY): string {
  if (typeof value !== "string" || value.length > maxLength + 2) throw malformed();
  const text = value.replace(/={1,2}$/, "");
  const canonical = Buffer.from(text, "base64url").toString("base64url") === text;
  if (text === "" || text.length > maxLength || !canonical) throw malformed();
  return text;
}

function transports(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  const isList = Array.isArray(value) && value.length <= MAX_TRANSPORTS;
  if (!isList || !value.every((item) => typeof item === "string" && /^[a-z-]{1,32}$/.test(item))) {
    throw malformed();
  }
  return [...new Set<string>(value)];
}

const malformed = (): WebAuthNError => new WebAuthNError("malformed", "not the JSON form of a credential");
