import { type VerifiedAuthenticationResponse, verifyAuthenticationResponse } from "@simplewebauthn/server";
import { checkClientData } from "./client-data.ts";
import type { Assertion } from "./credential-json.ts";
import { userHandleOf } from "./user-handle.ts";
import { WebAuthNError } from "./web-authn-error.ts";

export type UserVerificationLevel = "required" | "preferred" | "discouraged";

/** How long the browser waits for the user, and the server for the browser (spec session-api §11.1). */
export const AUTHENTICATION_TIMEOUT_MS: { readonly [level in UserVerificationLevel]: number } = {
  required: 300_000,
  preferred: 300_000,
  discouraged: 120_000,
};

export type CredentialRequest = {
  /** Base64url of 32 random bytes. */
  challenge: string;
  rpId: string;
  /** Base64url. */
  allowedCredentialIds: readonly string[];
  userVerification: UserVerificationLevel;
};

/** The argument of `navigator.credentials.get()` in JSON, binary members base64url (spec session-api §11.1). */
export function requestOptions(request: CredentialRequest): object {
  const { challenge, rpId, allowedCredentialIds, userVerification } = request;
  return {
    publicKey: {
      challenge,
      timeout: AUTHENTICATION_TIMEOUT_MS[userVerification],
      rpId,
      allowCredentials: allowedCredentialIds.map((id) => ({ type: "public-key", id })),
      userVerification,
    },
  };
}

export type ExpectedAuthentication = CredentialRequest & { userId: string };

/** What is known of the credential that claims to have signed. */
export type KnownCredential = {
  /** Base64url of a COSE key. */
  publicKey: string;
  signCount: number;
  backupEligible: boolean;
};

export type VerifiedAssertion = {
  userVerified: boolean;
  signCount: number;
  backedUp: boolean;
  /** The counter did not move on: somebody else may be signing with a copy of the key (§6.1.1). */
  cloneSuspected: boolean;
};

/**
 * Verifies a signature with a credential (WebAuthn Level 3 §7.2).
 * @param credential the one the assertion names: the caller has looked it up among the user's own
 * @throws WebAuthNError `malformed`, `refused`
 */
export async function verifyAssertion(
  assertion: Assertion,
  expected: ExpectedAuthentication,
  credential: KnownCredential,
): Promise<VerifiedAssertion> {
  const { challenge, rpId, allowedCredentialIds, userId } = expected;
  if (!allowedCredentialIds.includes(assertion.credentialId)) {
    throw new WebAuthNError("refused", "the challenge was for other credentials");
  }
  if (assertion.userHandle !== undefined && assertion.userHandle !== userHandleOf(userId)) {
    throw new WebAuthNError("refused", "the authenticator knows the credential as another user's");
  }
  const origin = checkClientData(assertion.clientDataJSON, { type: "webauthn.get", challenge, rpId });
  const { userVerified, newCounter, credentialDeviceType, credentialBackedUp } = await verifySignature(
    assertion,
    expected,
    credential,
    origin,
  );
  if ((credentialDeviceType === "multiDevice") !== credential.backupEligible) {
    throw new WebAuthNError("refused", "a key's being copyable is for its lifetime, and it changed");
  }
  const counts = newCounter !== 0 || credential.signCount !== 0;
  return {
    userVerified,
    signCount: newCounter,
    backedUp: credentialBackedUp,
    cloneSuspected: counts && newCounter <= credential.signCount,
  };
}

async function verifySignature(
  { credentialId, clientDataJSON, authenticatorData, signature }: Assertion,
  { challenge, rpId, userVerification }: ExpectedAuthentication,
  { publicKey }: KnownCredential,
  origin: string,
): Promise<VerifiedAuthenticationResponse["authenticationInfo"]> {
  let answer: VerifiedAuthenticationResponse;
  try {
    answer = await verifyAuthenticationResponse({
      response: {
        id: credentialId,
        rawId: credentialId,
        type: "public-key",
        response: { clientDataJSON, authenticatorData, signature },
        clientExtensionResults: {},
      },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: rpId,
      requireUserVerification: userVerification === "required",
      // The library would refuse a counter that stands still before it looks at the signature, which anybody can
      // make it do. With 0 it has no opinion, and ours is formed once the signature is known to be good.
      credential: {
        id: credentialId,
        publicKey: Uint8Array.from(Buffer.from(publicKey, "base64url")),
        counter: 0,
      },
    });
  } catch (cause) {
    throw new WebAuthNError("refused", "the assertion does not verify", { cause });
  }
  if (!answer.verified) throw new WebAuthNError("refused", "the signature is wrong");
  return answer.authenticationInfo;
}
