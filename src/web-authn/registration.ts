import {
  SettingsService,
  type VerifiedRegistrationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { checkClientData } from "./client-data.ts";
import { type Attestation, readAttestation } from "./credential-json.ts";
import { algorithmIds, checkPublicKey } from "./public-key.ts";
import { userHandleOf } from "./user-handle.ts";
import { WebAuthNError } from "./web-authn-error.ts";

/** How long the browser waits for the user, and the server for the browser. */
export const REGISTRATION_TIMEOUT_MS = 300_000;

// Makers' certificates are not asked for and would prove nothing here. Without roots the library judges no chain, and
// does not go out to fetch revocation lists either.
for (const identifier of ["android-key", "android-safetynet", "apple"] as const) {
  SettingsService.setRootCertificates({ identifier, certificates: [] });
}

export type NewCredential = {
  /** Base64url of 32 random bytes. */
  challenge: string;
  relyingParty: { id: string; name: string };
  user: { id: string; name: string; displayName: string };
  /** Base64url ids of what an authenticator must not hold already. */
  excludedCredentialIds: readonly string[];
  /** Which authenticators to offer; undefined: all. */
  attachment?: "platform" | "cross-platform" | undefined;
};

/** The argument of `navigator.credentials.create()` in JSON, binary members base64url (spec user-slice §6.2). */
export function creationOptions(credential: NewCredential): object {
  const { challenge, relyingParty, user, excludedCredentialIds, attachment } = credential;
  return {
    publicKey: {
      rp: { name: relyingParty.name, id: relyingParty.id },
      user: { id: userHandleOf(user.id), name: user.name, displayName: user.displayName },
      challenge,
      pubKeyCredParams: algorithmIds.map((alg) => ({ type: "public-key", alg })),
      timeout: REGISTRATION_TIMEOUT_MS,
      excludeCredentials: excludedCredentialIds.map((id) => ({ type: "public-key", id })),
      authenticatorSelection: {
        ...(attachment ? { authenticatorAttachment: attachment } : {}),
        userVerification: "required",
      },
      attestation: "none",
    },
  };
}

export type ExpectedRegistration = {
  /** Base64url. */
  challenge: string;
  rpId: string;
  /** The authenticator must have made sure who its user is, not only that there is one. */
  requireUserVerification: boolean;
};

/** What is to be remembered of a credential. Binary values are base64url. */
export type RegisteredCredential = {
  credentialId: string;
  /** COSE key. */
  publicKey: string;
  /** Model of the authenticator, as a UUID; all zero if it does not tell. */
  aaguid: string;
  /** `none`, `packed`, …: how the authenticator vouched for itself. */
  attestationFormat: string;
  signCount: number;
  transports: string[];
  /** The key may be copied to other devices by its maker. */
  backupEligible: boolean;
  /** And it was. */
  backedUp: boolean;
  userVerified: boolean;
};

/**
 * Verifies a new credential (WebAuthn Level 3 §7.1).
 * @param json the browser's answer, `PublicKeyCredential.toJSON()`; anything else will do to be refused
 * @throws WebAuthNError `malformed`, `refused`
 */
export async function verifyRegistration(
  json: unknown,
  expected: ExpectedRegistration,
): Promise<RegisteredCredential> {
  const attestation = readAttestation(json);
  const { challenge, rpId } = expected;
  const ceremony = { type: "webauthn.create", challenge, rpId } as const;
  const origin = checkClientData(attestation.clientDataJSON, ceremony);
  const { fmt, credential, aaguid, ...verified } = await verifyAttestation(attestation, expected, origin);
  // The library goes by what was attested and leaves it to us that the JSON is about the same credential.
  if (credential.id !== attestation.credentialId) {
    throw new WebAuthNError("refused", "the id is not the one that was attested");
  }
  checkPublicKey(credential.publicKey);
  return {
    credentialId: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString("base64url"),
    aaguid,
    attestationFormat: fmt,
    signCount: credential.counter,
    transports: attestation.transports,
    backupEligible: verified.credentialDeviceType === "multiDevice",
    backedUp: verified.credentialBackedUp,
    userVerified: verified.userVerified,
  };
}

type RegistrationInfo = NonNullable<VerifiedRegistrationResponse["registrationInfo"]>;

async function verifyAttestation(
  { credentialId, clientDataJSON, attestationObject }: Attestation,
  { challenge, rpId, requireUserVerification }: ExpectedRegistration,
  origin: string,
): Promise<RegistrationInfo> {
  let verified: VerifiedRegistrationResponse;
  try {
    verified = await verifyRegistrationResponse({
      response: {
        id: credentialId,
        rawId: credentialId,
        type: "public-key",
        response: { clientDataJSON, attestationObject },
        clientExtensionResults: {},
      },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: rpId,
      requireUserPresence: true,
      requireUserVerification,
      supportedAlgorithmIDs: [...algorithmIds],
    });
  } catch (cause) {
    // It throws for whatever it does not like, down to a text where bytes should be.
    throw new WebAuthNError("refused", "the attestation does not verify", { cause });
  }
  if (!verified.verified) throw new WebAuthNError("refused", "the attestation's signature is wrong");
  return verified.registrationInfo;
}
